//! The committed counts: a line that names the compiler, then one line per operation.

use std::fmt::Write as _;

/// How far a count may be from the committed one.
pub const TOLERANCE: f64 = 0.03;

const HEADER: &str = "\
# Instructions per operation as callgrind counts them, and the compiler that they hold for.
# `make instructions` checks them, ± 3 %; `make instructions-renew` writes them anew.
";

pub fn write(compiler: &str, counts: &[(&str, f64)]) -> String {
    let mut text = format!("{HEADER}{compiler}\n");
    for (name, count) in counts {
        let _ = writeln!(text, "{name}: {count:.1}");
    }
    text
}

/// What is wrong with the counts, one line each; none if all is well.
pub fn differences(list: &str, compiler: &str, counts: &[(&str, f64)]) -> Vec<String> {
    let mut lines = list.lines().filter(|line| !line.starts_with('#'));
    let committed = lines.next().unwrap_or_default();
    if committed != compiler {
        return vec![format!("the committed counts hold for {committed}, this program was made by {compiler}")];
    }
    let known: Vec<(&str, f64)> =
        lines.filter_map(|line| line.rsplit_once(": ")).filter_map(|(name, n)| Some((name, n.parse().ok()?))).collect();
    let mut wrong = Vec::new();
    for (name, count) in counts {
        match known.iter().find(|(known, _)| known == name) {
            None => wrong.push(format!("{name}: {count:.1} instructions, and none are committed")),
            Some((_, before)) if (count / before - 1.0).abs() > TOLERANCE => {
                let change = (count / before - 1.0) * 100.0;
                wrong.push(format!("{name}: {count:.1} instructions, committed are {before:.1} ({change:+.1} %)"));
            }
            Some(_) => {}
        }
    }
    let gone = known.iter().filter(|(name, _)| counts.iter().all(|(counted, _)| counted != name));
    wrong.extend(gone.map(|(name, _)| format!("{name}: committed, but no longer counted")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: [(&str, f64); 2] = [("admit", 100.0), ("report: by key", 50.0)];

    #[test]
    fn what_was_written_agrees_with_itself() {
        assert_eq!(differences(&write("rustc 1", &COUNTS), "rustc 1", &COUNTS), Vec::<String>::new());
    }

    #[test]
    fn three_percent_are_allowed_either_way_and_not_more() {
        let list = write("rustc 1", &COUNTS);
        let near = [("admit", 102.9), ("report: by key", 48.6)];
        assert!(differences(&list, "rustc 1", &near).is_empty());
        let far = [("admit", 103.1), ("report: by key", 48.4)];
        assert_eq!(differences(&list, "rustc 1", &far).len(), 2);
    }

    #[test]
    fn another_compiler_is_named() {
        let wrong = differences(&write("rustc 1", &COUNTS), "rustc 2", &COUNTS);
        assert!(wrong.len() == 1 && wrong[0].contains("rustc 1") && wrong[0].contains("rustc 2"));
    }

    #[test]
    fn an_operation_that_comes_or_goes_is_noticed() {
        let list = write("rustc 1", &COUNTS);
        assert_eq!(differences(&list, "rustc 1", &COUNTS[..1]).len(), 1);
        assert_eq!(differences(&write("rustc 1", &COUNTS[..1]), "rustc 1", &COUNTS).len(), 1);
    }
}
