//! How large is a request, before anything walks through it?
//!
//! The parser and the validation recurse, and visit a fragment as often as it is spread: thirty short fragments that each
//! spread the next one twice are a billion fields. So nesting is counted on the text, before it is parsed, and fields are
//! counted with each fragment measured once.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Value as ConstValue, Variables};
use async_graphql_value::Value;

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

/// Every value weighs this, besides its texts and names.
const EACH: usize = 64;

/// What a value weighs, in bytes about.
pub(super) fn weight(value: &ConstValue) -> usize {
    EACH + match value {
        ConstValue::String(text) => text.len(),
        ConstValue::List(values) => values.iter().map(weight).sum(),
        ConstValue::Object(fields) => fields.iter().map(|(name, value)| name.len() + weight(value)).sum(),
        _ => 0,
    }
}

/// What all arguments weigh, those in a fragment as often as it is spread, and a variable wherever it is mentioned: there its
/// value is copied, and printed where it is wrong. Saturates.
pub(super) fn arguments(document: &ExecutableDocument, variables: &Variables) -> usize {
    let mut known: HashMap<&Name, usize> = variables.iter().map(|(name, value)| (name, weight(value))).collect();
    for (_, operation) in document.operations.iter() {
        for definition in &operation.node.variable_definitions {
            let default = definition.node.default_value.as_ref().map_or(0, |value| weight(&value.node));
            let known = known.entry(&definition.node.name.node).or_default();
            *known = default.max(*known);
        }
    }
    sum(document, &|selection| {
        let (arguments, directives) = match selection {
            Selection::Field(field) => (field.node.arguments.as_slice(), &field.node.directives),
            Selection::InlineFragment(inline) => (&[][..], &inline.node.directives),
            Selection::FragmentSpread(spread) => (&[][..], &spread.node.directives),
        };
        let all = arguments.iter().chain(directives.iter().flat_map(|directive| &directive.node.arguments));
        all.map(|(_, value)| weight_with(&value.node, &known)).fold(0, usize::saturating_add)
    })
}

fn weight_with(value: &Value, variables: &HashMap<&Name, usize>) -> usize {
    let with = |value| weight_with(value, variables);
    let below = match value {
        Value::Variable(name) => variables.get(name).copied().unwrap_or(0),
        Value::String(text) => text.len(),
        Value::List(values) => values.iter().map(with).fold(0, usize::saturating_add),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| with(value).saturating_add(name.len())).fold(0, usize::saturating_add)
        }
        _ => 0,
    };
    below.saturating_add(EACH)
}

/// How an introspection is taken apart: its fields, and how deep its lists are nested. Those of the schema's own description
/// have no price of their own.
#[derive(Clone, Copy, Default)]
pub(super) struct Introspection {
    pub(super) fields: usize,
    pub(super) lists: usize,
}

/// Lists of `__Schema` and `__Type`.
const LISTS: [&str; 8] =
    ["types", "directives", "fields", "inputFields", "args", "interfaces", "enumValues", "possibleTypes"];

/// Measures what a document asks of the schema itself; fragments count as often as they are spread.
pub(super) fn introspection(document: &ExecutableDocument) -> Introspection {
    let mut known = HashMap::new();
    let operations = document.operations.iter();
    operations
        .map(|(_, operation)| of_schema(document, &operation.node.selection_set.node, false, &mut known))
        .fold(Introspection::default(), Introspection::and)
}

impl Introspection {
    fn and(self, other: Self) -> Self {
        Self { fields: self.fields.saturating_add(other.fields), lists: self.lists.max(other.lists) }
    }
}

/// `inside`: what is asked of here is the schema.
fn of_schema<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    inside: bool,
    known: &mut HashMap<(&'a Name, bool), Introspection>,
) -> Introspection {
    let mut sum = Introspection::default();
    for selection in &set.items {
        sum = sum.and(match &selection.node {
            Selection::Field(field) => {
                let name = field.node.name.node.as_str();
                let begins = matches!(name, "__schema" | "__type");
                let below = of_schema(document, &field.node.selection_set.node, inside || begins, known);
                Introspection {
                    fields: below.fields.saturating_add(inside.into()),
                    lists: below.lists + usize::from(inside && LISTS.contains(&name)),
                }
            }
            Selection::InlineFragment(inline) => of_schema(document, &inline.node.selection_set.node, inside, known),
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                match (known.get(&(name, inside)), document.fragments.get(name)) {
                    (Some(&asked), _) => asked,
                    (None, None) => Introspection::default(),
                    (None, Some(fragment)) => {
                        // Nothing, while it is being measured: that ends a circle.
                        known.insert((name, inside), Introspection::default());
                        let asked = of_schema(document, &fragment.node.selection_set.node, inside, known);
                        known.insert((name, inside), asked);
                        asked
                    }
                }
            }
        });
    }
    sum
}

/// Fields at the root of a set; those of its fragments, too, of which none may spread itself.
pub(super) fn roots(document: &ExecutableDocument, set: &SelectionSet) -> usize {
    let of = |selection: &Selection| match selection {
        Selection::Field(_) => 1,
        Selection::InlineFragment(inline) => roots(document, &inline.node.selection_set.node),
        Selection::FragmentSpread(spread) => document
            .fragments
            .get(&spread.node.fragment_name.node)
            .map_or(0, |fragment| roots(document, &fragment.node.selection_set.node)),
    };
    set.items.iter().map(|selection| of(&selection.node)).fold(0, usize::saturating_add)
}

/// Fields of all operations, those of a fragment as often as it is spread; saturates.
pub(super) fn fields(document: &ExecutableDocument) -> usize {
    sum(document, &|_| 1)
}

/// The sum of `price` over the selections of all operations, those of a fragment as often as it is spread; saturates. A fragment
/// that spreads itself counts as nothing there; the validation refuses it.
fn sum(document: &ExecutableDocument, price: &dyn Fn(&Selection) -> usize) -> usize {
    let mut known = HashMap::new();
    let operations = document.operations.iter();
    operations
        .map(|(_, operation)| of_set(document, &operation.node.selection_set.node, price, &mut known))
        .fold(0, usize::saturating_add)
}

fn of_set<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    price: &dyn Fn(&Selection) -> usize,
    known: &mut HashMap<&'a Name, usize>,
) -> usize {
    let mut sum = 0_usize;
    for selection in &set.items {
        let below = match &selection.node {
            Selection::Field(field) => of_set(document, &field.node.selection_set.node, price, known),
            Selection::InlineFragment(inline) => of_set(document, &inline.node.selection_set.node, price, known),
            Selection::FragmentSpread(spread) => of_fragment(document, &spread.node.fragment_name.node, price, known),
        };
        sum = sum.saturating_add(below).saturating_add(price(&selection.node));
    }
    sum
}

fn of_fragment<'a>(
    document: &'a ExecutableDocument,
    name: &'a Name,
    price: &dyn Fn(&Selection) -> usize,
    known: &mut HashMap<&'a Name, usize>,
) -> usize {
    if let Some(&sum) = known.get(name) {
        return sum;
    }
    let Some(fragment) = document.fragments.get(name) else { return 0 };
    // Nothing, while it is being measured: that ends a circle.
    known.insert(name, 0);
    let sum = of_set(document, &fragment.node.selection_set.node, price, known);
    known.insert(name, sum);
    sum
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
