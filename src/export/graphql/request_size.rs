//! How large is a request, before anything walks through it?
//!
//! The parser and the validation recurse, and visit a fragment as often as it is spread: thirty short fragments that each
//! spread the next one twice are a billion fields. So nesting is counted on the text, before it is parsed, and fields are
//! counted with each fragment measured once.

use std::collections::HashMap;

use async_graphql::Name;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

/// What a text would cost the parser.
pub(super) struct Measure {
    /// Deepest nesting of brackets.
    pub(super) nesting: usize,
    /// Names, numbers, strings and opening brackets.
    pub(super) tokens: usize,
}

/// Measures a text; brackets and words in strings and comments are left out.
///
/// Reads strings as GraphQL's grammar does, so that nothing can be hidden from it that the parser would see.
pub(super) fn measure(query: &str) -> Measure {
    let text = query.as_bytes();
    let (mut depth, mut deepest, mut tokens, mut at) = (0_usize, 0, 0, 0);
    while let Some(&byte) = text.get(at) {
        at += match byte {
            b'{' | b'[' | b'(' => {
                depth += 1;
                deepest = deepest.max(depth);
                tokens += 1;
                1
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                1
            }
            b'#' => text[at..].iter().take_while(|&&byte| byte != b'\n' && byte != b'\r').count(),
            b'"' => {
                tokens += 1;
                string_length(&text[at..])
            }
            _ if is_of_word(&byte) => {
                tokens += 1;
                text[at..].iter().take_while(|byte| is_of_word(byte)).count()
            }
            _ => 1,
        };
    }
    Measure { nesting: deepest, tokens }
}

fn is_of_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// Length of the string that a text begins with, to its closing quotes, or to where the grammar ends it unclosed.
fn string_length(text: &[u8]) -> usize {
    if let Some(block) = text.strip_prefix(b"\"\"\"") {
        let mut at = 0;
        while at < block.len() && !block[at..].starts_with(b"\"\"\"") {
            at += if block[at..].starts_with(b"\\\"\"\"") { 4 } else { 1 };
        }
        return (at + 6).min(text.len());
    }
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            b'\n' | b'\r' => return at,
            _ => at += 1,
        }
    }
    text.len()
}

/// Fields of all operations, those of a fragment as often as it is spread; saturates. A fragment that spreads itself
/// counts as nothing there; the validation refuses it.
pub(super) fn fields(document: &ExecutableDocument) -> usize {
    let mut known = HashMap::new();
    let operations = document.operations.iter();
    operations
        .map(|(_, operation)| of_set(document, &operation.node.selection_set.node, &mut known))
        .fold(0, usize::saturating_add)
}

fn of_set<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet, known: &mut HashMap<&'a Name, usize>) -> usize {
    let mut sum = 0_usize;
    for selection in &set.items {
        sum = sum.saturating_add(match &selection.node {
            Selection::Field(field) => of_set(document, &field.node.selection_set.node, known).saturating_add(1),
            Selection::InlineFragment(inline) => {
                of_set(document, &inline.node.selection_set.node, known).saturating_add(1)
            }
            Selection::FragmentSpread(spread) => {
                of_fragment(document, &spread.node.fragment_name.node, known).saturating_add(1)
            }
        });
    }
    sum
}

fn of_fragment<'a>(document: &'a ExecutableDocument, name: &'a Name, known: &mut HashMap<&'a Name, usize>) -> usize {
    if let Some(&fields) = known.get(name) {
        return fields;
    }
    let Some(fragment) = document.fragments.get(name) else { return 0 };
    // Nothing, while it is being measured: that ends a circle.
    known.insert(name, 0);
    let fields = of_set(document, &fragment.node.selection_set.node, known);
    known.insert(name, fields);
    fields
}

/// Longest chain of fragments that spread each other, as far as `limit`.
///
/// A chain is as deep to walk as nested brackets are. A circle is longer than every limit.
pub(super) fn fragment_chain_exceeds(document: &ExecutableDocument, limit: usize) -> bool {
    // By rounds: after round n, those fragments are left that begin a chain of more than n.
    let mut left: Vec<&Name> = document.fragments.keys().collect();
    for _ in 0..limit {
        let open: std::collections::HashSet<&Name> = left.iter().copied().collect();
        left.retain(|name| spreads(&document.fragments[*name].node.selection_set.node, &open));
        if left.is_empty() {
            return false;
        }
    }
    true
}

fn spreads(set: &SelectionSet, open: &std::collections::HashSet<&Name>) -> bool {
    set.items.iter().any(|selection| match &selection.node {
        Selection::Field(field) => spreads(&field.node.selection_set.node, open),
        Selection::InlineFragment(inline) => spreads(&inline.node.selection_set.node, open),
        Selection::FragmentSpread(spread) => open.contains(&spread.node.fragment_name.node),
    })
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use std::fmt::Write;

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
        for unclosed in ["\"", "\"\\", "\"\"\"", "\"\"\"\\\"\"\"", "#", "{\"abc\\"] {
            assert!(nesting(unclosed) <= 1);
        }
        assert_eq!(nesting(&"[".repeat(1_000_000)), 1_000_000);
    }

    #[test]
    fn fragments_count_as_often_as_they_are_spread() {
        let count = |query: &str| fields(&parse_query(query).unwrap());
        assert_eq!(count("{ a b { c d } }"), 4);
        assert_eq!(count("{ ...F ...F } fragment F on Query { a b }"), 6);
        let mut bomb = "{ ...F0 }".to_owned();
        for n in 0..100 {
            write!(bomb, " fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1).unwrap();
        }
        bomb.push_str(" fragment F100 on Query { __typename }");
        let bomb = parse_query(bomb).unwrap();
        assert_eq!(fields(&bomb), usize::MAX);
        assert!(fragment_chain_exceeds(&bomb, 100) && !fragment_chain_exceeds(&bomb, 101));
        let circle = parse_query("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }").unwrap();
        assert!(fields(&circle) < 10 && fragment_chain_exceeds(&circle, 50));
    }
}
