//! Prometheus' own checker.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const MISSING: &str = "promtool is needed: install Debian's package `prometheus`";

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// `promtool check metrics`: neither an error nor a remark.
pub fn check_metrics(text: &str) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect(MISSING);
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && said(&output).trim().is_empty(), "promtool: {}", said(&output));
}

/// Another of its commands on a file, which says SUCCESS.
pub fn succeeds(arguments: &[&str], file: &Path) {
    let output = Command::new("promtool").args(arguments).arg(file).output().expect(MISSING);
    let said = said(&output);
    assert!(output.status.success() && said.contains("SUCCESS"), "{arguments:?}: {said}");
}
