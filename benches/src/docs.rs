//! The part of docs/performance.md that a run writes: all between two marks.

use std::path::Path;
use std::{fs, io};

const BEGIN: &str = "<!-- written by `make bench-docs`: begin -->";
const END: &str = "<!-- written by `make bench-docs`: end -->";

/// Puts `tables` between the marks of the file.
pub fn replace(file: &Path, tables: &str) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    let replaced = between_marks(&text, tables)
        .ok_or_else(|| io::Error::other(format!("{} has no marks to write between", file.display())))?;
    fs::write(file, replaced)
}

fn between_marks(text: &str, tables: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", tables.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_the_marks_stays() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(between_marks(&text, "new\n").unwrap(), format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(between_marks("no marks", "new"), None);
    }
}
