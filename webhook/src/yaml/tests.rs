//! What is written is read as it was, whatever it is.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{documents, to_yaml};

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        // Near everything that has a meaning to YAML.
        "[-+.:#?&*!|>%@`'\"{},\\[\\] \\n\\ty0-9noNOtf~_<=]{0,8}",
        "[0-9]{1,4}([-:._eE][0-9]{1,2}){0,3}",
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((texts(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(value in values()) {
        let written = to_yaml(&value);
        let read = documents(&written).map_err(|error| TestCaseError::fail(format!("{error}\n{written}")))?;
        let read: Vec<Value> = read.into_iter().map(|document| document.value).collect();
        prop_assert_eq!(read, vec![value], "{}", written);
    }

    #[test]
    fn any_text_is_read_or_refused(text in texts()) {
        let _ = documents(&text);
    }
}
