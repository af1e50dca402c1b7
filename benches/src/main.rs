mod floors;
mod measure;
mod plan;
mod rivals;
mod stats;
mod subject;
mod workload;

fn main() {
    let effort = plan::effort(true);
    for s in plan::scenarios() {
        let load = workload::Workload::new(s.peers, s.skew, 1 << 16);
        let c = plan::contenders(s, &load.peers);
        let t = measure::paired(&c, &load, s.threads, effort);
        println!("{} {} {}t {}", s.operation.name(), s.peers, s.threads, s.skew.name());
        for t in t {
            let q = t.quartiles();
            println!("   {:20} {:8.1} {:8.1} {:8.1}", t.name, q.low, q.median, q.high);
        }
    }
}
