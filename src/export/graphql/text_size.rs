//! How large is the text of a request, before the parser sees it?
//!
//! The parser recurses and takes microseconds for each token, so both are bounded on the text.

/// What a text would cost the parser and the validation.
#[derive(Default)]
pub(super) struct Measure {
    /// Deepest nesting of brackets.
    pub(super) nesting: usize,
    /// Names, numbers, strings and opening brackets.
    pub(super) tokens: usize,
    /// Bytes of the longest of them.
    pub(super) longest: usize,
    /// A block string is not closed. By GraphQL's grammar there is no such text; the parser would read on behind `""`.
    pub(super) unclosed: bool,
}

/// Measures a text; brackets and words in strings and comments are left out.
///
/// Reads strings as GraphQL's grammar does, so that nothing can be hidden from it that the parser would see.
pub(super) fn measure(query: &str) -> Measure {
    let text = query.as_bytes();
    let mut measure = Measure::default();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        at += match byte {
            b'{' | b'[' | b'(' => {
                depth += 1;
                measure.nesting = measure.nesting.max(depth);
                measure.token(1)
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                1
            }
            b'#' => rest.iter().take_while(|&&byte| byte != b'\n' && byte != b'\r').count(),
            b'"' => match string_length(rest) {
                Some(length) => measure.token(length),
                None => {
                    measure.unclosed = true;
                    return measure;
                }
            },
            _ if is_of_word(&byte) => measure.token(rest.iter().take_while(|byte| is_of_word(byte)).count()),
            _ => 1,
        };
    }
    measure
}

impl Measure {
    /// Counts a token; returns its length.
    fn token(&mut self, length: usize) -> usize {
        self.tokens += 1;
        self.longest = self.longest.max(length);
        length
    }
}

fn is_of_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// Length of the string that a text begins with, to its closing quotes; `None` for a block string without. Another that is not
/// closed ends with its line.
fn string_length(text: &[u8]) -> Option<usize> {
    if let Some(block) = text.strip_prefix(b"\"\"\"") {
        let mut at = 0;
        while !block.get(at..)?.starts_with(b"\"\"\"") {
            at += if block.get(at..)?.starts_with(b"\\\"\"\"") { 4 } else { 1 };
            if at >= block.len() {
                return None;
            }
        }
        return Some(at + 6);
    }
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            b'\n' | b'\r' => return Some(at),
            _ => at += 1,
        }
    }
    Some(text.len())
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    fn nesting(query: &str) -> usize {
        measure(query).nesting
    }

    #[test]
    fn tokens_are_counted_where_the_parser_sees_them() {
        let tokens = |query: &str| measure(query).tokens;
        assert_eq!(tokens("{ first_1: a(b: 12, c: \"x y z\", d: [\"\"\"1 2\"\"\"]) { e } } # f g h"), 13);
        assert_eq!(tokens("{a,b\tc\n...D}"), 5);
        assert_eq!(tokens("  ,,, \n"), 0);
    }

    #[test]
    fn brackets_are_counted_where_the_parser_sees_them() {
        assert_eq!(nesting("{ a { b(c: [1, [2]]) { d } } }"), 5);
        assert_eq!(nesting("{ a(b: \"{{{{[[[[\", c: \"\\\"{{{\") } # {{{{\n"), 2);
        assert_eq!(nesting("{ a(b: \"\"\"}}}\\\"\"\"}} \" }}\"\"\") { c } }"), 2);
        // A comment or a string must not hide closing brackets that are not there.
        assert_eq!(nesting("{ #}\n{ #}\r{ \"}\" { \"\"\"}\"\"\" {"), 5);
        for unclosed in ["\"", "\"\\", "#", "{\"abc\\"] {
            assert!(nesting(unclosed) <= 1 && !measure(unclosed).unclosed);
        }
        // The parser would read on behind `""`.
        for unclosed in
            ["\"\"\"", "\"\"\"\\\"\"\"", "\"\"\"\"", "\"\"\"\"\"", "{ a(b: [\"\"\"x\" [[[[", "\"\"\"\n\\\"\"\"\n"]
        {
            assert!(measure(unclosed).unclosed, "{unclosed}");
        }
        assert!(!measure("\"\"\"\"\"\"").unclosed);
        assert_eq!(nesting(&"[".repeat(1_000_000)), 1_000_000);
    }
}
