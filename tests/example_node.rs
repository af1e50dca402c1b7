//! The example node, run as a user runs it: what its summary claims, its command line, and its two kinds of output.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The README's command with other arguments. Cargo builds the example if need be, and then becomes it.
fn node(args: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", "--quiet", "--release", "--example", "node", "--"]);
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    node(args).output().expect("cargo runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the example writes UTF-8")
}

/// What the summary says under `name`, and whether as promised: `kept`, `BROKEN` or `-`.
fn fact<'a>(output: &'a str, name: &str) -> (&'a str, &'a str) {
    let (_, summary) = output.rsplit_once("\nSummary after ").expect("it ends with a summary");
    let line = summary.lines().find(|line| line.contains(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{summary}"));
    let (mark, rest) = line.trim().split_once(' ').expect("a mark, a name and what was seen");
    (mark, rest.trim_start().strip_prefix(name).expect("the name comes second").trim())
}

/// The first number in `words`, and what follows it.
fn number(words: &str) -> (f64, &str) {
    let begin = words.find(|c: char| c.is_ascii_digit()).unwrap_or_else(|| panic!("no number in {words}"));
    let rest = &words[begin..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    (rest[..end].parse().expect("digits"), &rest[end..])
}

#[test]
fn the_summary_shows_what_the_guard_promises() {
    let ran = run(&["--seconds", "16"]);
    let (out, err) = (text(&ran.stdout), text(&ran.stderr));
    assert_eq!(ran.status.code(), Some(0), "{out}\n{err}");
    assert!(!out.contains('\x1b'), "plain lines hold no escape codes");

    // Three peers refuse or are silent from the start, and three die in the first seconds.
    let (mark, seen) = fact(&out, "dead peers cut off");
    let (times, after) = number(seen);
    let (attempts, after) = number(after);
    let (threshold, _) = number(after);
    assert_eq!(mark, "kept", "{seen}");
    assert!(times >= 6.0, "{seen}");
    assert_eq!((attempts, threshold), (5.0, 5.0), "{seen}");

    let (_, seen) = fact(&out, "attempts saved");
    let (saved, rest) = number(seen);
    let (all, _) = number(rest);
    assert!(saved > 0.0 && saved < all, "{seen}");

    let (mark, seen) = fact(&out, "time to recover");
    let (in_time, rest) = number(seen);
    let (of, _) = number(rest);
    assert_eq!(mark, "kept", "{seen}");
    assert!(in_time == of && of >= 1.0, "{seen}");

    for (name, limit) in [("download", 8.0), ("upload", 4.0)] {
        let (mark, seen) = fact(&out, name);
        let (rate, rest) = number(seen);
        let (shown, rest) = number(rest);
        let (_percent, rest) = number(rest);
        let (over, rest) = number(rest);
        let (unspent, _) = number(rest);
        assert_eq!((mark, shown), ("kept", limit), "{seen}");
        assert!(rate / limit <= 1.02 && (rate + unspent / over) / limit >= 0.98, "{seen}");
    }
    for name in ["other peers cut off", "greedy peers", "garbage found", "bytes"] {
        let (mark, seen) = fact(&out, name);
        assert_eq!(mark, "kept", "{name}: {seen}");
    }

    // One row for each peer, of every kind.
    let kinds = ["healthy", "slow", "30 % failing", "greedy", "dying", "refusing", "silent", "garbage"];
    let (_, table) = out.rsplit_once("\npeer ").expect("a table stands before the summary");
    let rows = table.lines().skip(1).take_while(|line| !line.is_empty()).collect::<Vec<_>>();
    assert_eq!(rows.len(), 26);
    for kind in kinds {
        assert!(rows.iter().any(|row| row.contains(kind)), "no {kind} peer in\n{table}");
    }
}

#[test]
fn help_says_what_it_does() {
    for flag in ["--help", "-h"] {
        let ran = run(&[flag]);
        let out = text(&ran.stdout);
        assert_eq!(ran.status.code(), Some(0));
        for word in ["loopback", "--seconds", "--peers", "--seed", "--download", "--upload", "--plain"] {
            assert!(out.contains(word), "no {word} in\n{out}");
        }
    }
}

#[test]
fn a_bad_argument_is_named_and_exits_with_2() {
    let cases: &[(&[&str], &str)] = &[
        (&["--second", "5"], "--second"),
        (&["--seconds"], "--seconds needs a value"),
        (&["--seconds", "2"], "--seconds wants a whole number from 3 to 86400, not `2`"),
        (&["--seconds=-1"], "not `-1`"),
        (&["--seconds", "soon"], "not `soon`"),
        (&["--peers", "23"], "--peers wants a whole number from 24 to 100"),
        (&["--seed", "18446744073709551616"], "--seed"),
        (&["--download", "99999999999999999999M"], "--download wants a rate"),
        (&["--upload", "8 MiB"], "not `8 MiB`"),
        (&["--plain=yes"], "--plain takes no value"),
        (&["20"], "unknown argument `20`"),
    ];
    for (args, error) in cases {
        let ran = run(args);
        let err = text(&ran.stderr);
        assert_eq!(ran.status.code(), Some(2), "{args:?}: {err}");
        assert!(err.starts_with("error: ") && err.contains(error), "{args:?}: {err}");
        assert!(ran.stdout.is_empty(), "{args:?}");
    }
}

fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).expect("a pid");
    kill_process(Pid::from_raw(pid).expect("not 0"), Signal::INT).expect("it is running");
}

#[test]
fn ctrl_c_ends_it_with_the_summary() {
    let mut child = node(&[]).stdout(Stdio::piped()).spawn().expect("cargo runs");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut first = String::new();
    out.read_line(&mut first).expect("it writes a line in the first second");
    interrupt(&child);
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("it goes on writing UTF-8");
    assert!(rest.contains("\nSummary after "), "{first}{rest}");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{first}{rest}");
}

#[test]
fn a_terminal_gets_a_page_that_it_gets_back() {
    const ROWS: u16 = 30;
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("it can be opened");
    let path = ptsname(&terminal, Vec::new()).expect("it has a name");
    let inner = File::options().read(true).write(true).open(path.to_str().expect("ASCII")).expect("it opens");
    tcsetwinsize(&terminal, Winsize { ws_row: ROWS, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
    let mut child = node(&["--seconds", "3"]).stdout(inner).env("NO_COLOR", "").spawn().expect("cargo runs");

    let mut out = Vec::new();
    // Reading from a pseudo-terminal whose other end is closed ends in an error, once all is read.
    let _ = File::from(terminal).read_to_end(&mut out);
    let out = text(&out);
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{out}");
    let (page, after) = out.split_once("\x1b[?1049l").expect("it leaves its page");
    assert!(page.starts_with("\x1b[?1049h\x1b[?25l"), "it draws on a page of its own");
    assert!(page.contains("\x1b[32mclosed"), "states are coloured");
    assert!(page.contains("3 s of 3 s") && page.contains("[####"), "it has a progress bar");
    assert!(after.contains("\nSummary after "), "the summary stays");
    let pictures: Vec<_> = page.split("\x1b[H").skip(1).collect();
    assert!((1..=3).contains(&pictures.len()), "at most one picture each second");
    for picture in pictures {
        assert!(picture.lines().count() <= ROWS.into(), "it fits the terminal:\n{picture}");
    }
}
