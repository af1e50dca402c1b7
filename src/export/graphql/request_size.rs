//! How large is a request that has been parsed, before anything walks through it?
//!
//! The validation recurses, and visits a fragment as often as it is spread: thirty short fragments that each spread the next
//! one twice are a billion fields. So fields and arguments are counted with each fragment looked at once.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Value as ConstValue, Variables};
use async_graphql_value::Value;

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
    let of = |selection: &Selection, inside: bool, below: Introspection| match selection {
        Selection::Field(field) if inside => Introspection {
            fields: below.fields.saturating_add(1),
            lists: below.lists + usize::from(LISTS.contains(&field.node.name.node.as_str())),
        },
        _ => below,
    };
    let and = |one: Introspection, other: Introspection| Introspection {
        fields: one.fields.saturating_add(other.fields),
        lists: one.lists.max(other.lists),
    };
    Walk::over(document, &of, &and)
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

/// The sum of `price` over the selections of all operations, those of a fragment as often as it is spread; saturates.
fn sum(document: &ExecutableDocument, price: &dyn Fn(&Selection) -> usize) -> usize {
    let of = |selection: &Selection, _inside: bool, below: usize| below.saturating_add(price(selection));
    Walk::over(document, &of, &usize::saturating_add)
}

/// Adds something up over all selections, with each fragment looked at once.
struct Walk<'a, T> {
    document: &'a ExecutableDocument,
    /// What a selection comes to; whether it asks of the schema itself; what those below it came to.
    of: &'a dyn Fn(&Selection, bool, T) -> T,
    and: &'a dyn Fn(T, T) -> T,
    /// Fragments by their names, and whether they are spread where the schema itself is asked.
    known: HashMap<(&'a Name, bool), T>,
}

impl<'a, T: Copy + Default> Walk<'a, T> {
    /// Over all operations. A fragment that spreads itself counts as nothing there; the validation refuses it.
    fn over(
        document: &'a ExecutableDocument,
        of: &'a dyn Fn(&Selection, bool, T) -> T,
        and: &'a dyn Fn(T, T) -> T,
    ) -> T {
        let mut walk = Walk { document, of, and, known: HashMap::new() };
        let operations = document.operations.iter();
        operations.fold(T::default(), |sum, (_, operation)| {
            let one = walk.set(&operation.node.selection_set.node, false);
            and(sum, one)
        })
    }

    fn set(&mut self, set: &'a SelectionSet, inside: bool) -> T {
        set.items.iter().fold(T::default(), |sum, selection| {
            let below = match &selection.node {
                Selection::Field(field) => {
                    let begins = matches!(field.node.name.node.as_str(), "__schema" | "__type");
                    self.set(&field.node.selection_set.node, inside || begins)
                }
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node, inside),
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, inside),
            };
            (self.and)(sum, (self.of)(&selection.node, inside, below))
        })
    }

    fn fragment(&mut self, name: &'a Name, inside: bool) -> T {
        if let Some(&sum) = self.known.get(&(name, inside)) {
            return sum;
        }
        let Some(fragment) = self.document.fragments.get(name) else { return T::default() };
        // Nothing, while it is being looked at: that ends a circle.
        self.known.insert((name, inside), T::default());
        let sum = self.set(&fragment.node.selection_set.node, inside);
        self.known.insert((name, inside), sum);
        sum
    }
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
