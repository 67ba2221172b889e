//! What prompts owe to Python: the order of sets, and literals of lists.

use crate::prompts::golden;
use longsight_eval::prompts::{cpython_set_order, list_literal};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn set_order_equals_cpythons() {
    for case in golden(include_str!("../golden/cpython_set_order.json")).as_array().unwrap() {
        let values = case["in"].as_array().unwrap().iter().map(|value| value.as_u64().unwrap() as usize);
        assert_eq!(serde_json::to_value(cpython_set_order(values)).unwrap(), case["out"]);
    }
}

/// What a Python literal of a list of strings stands for.
fn evaluate(literal: &str) -> Vec<String> {
    let mut chars = literal.strip_prefix('[').unwrap().strip_suffix(']').unwrap().chars();
    let mut items = Vec::new();
    while let Some(quote) = chars.find(|c| ['\'', '"'].contains(c)) {
        let mut item = String::new();
        loop {
            match chars.next().unwrap() {
                c if c == quote => break,
                '\\' => {
                    let kind = chars.next().unwrap();
                    let digits = match kind {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    let code: String = chars.by_ref().take(digits).collect();
                    item.push(match kind {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'x' | 'u' | 'U' => char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap(),
                        other => other,
                    });
                }
                c => item.push(c),
            }
        }
        items.push(item);
    }
    items
}

proptest! {
    #[test]
    fn list_literals_stand_for_the_list(items in prop::collection::vec(any::<String>(), 0..5)) {
        let literal = list_literal(&items);
        let is_clean = !literal.contains(['\n', '\r', '\t', '\u{a0}', '\u{200b}']);
        prop_assert!(is_clean);
        prop_assert_eq!(evaluate(&literal), items);
    }

    #[test]
    fn set_order_is_an_order_of_the_set(values in prop::collection::vec(0..1_000_000_usize, 0..300)) {
        let order = cpython_set_order(values.iter().copied());
        let set: BTreeSet<usize> = values.iter().copied().collect();
        prop_assert_eq!(order.len(), set.len());
        prop_assert_eq!(order.into_iter().collect::<BTreeSet<_>>(), set);
    }

    #[test]
    fn small_numbers_in_a_roomy_table_come_in_their_order(count in 0..300_usize) {
        prop_assert_eq!(cpython_set_order((0..count).rev()), (0..count).collect::<Vec<_>>());
    }
}
