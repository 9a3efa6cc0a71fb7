use super::*;
use crate::Message;

fn fault(block: Value) -> String {
    validate(&[block]).unwrap_err().to_string()
}

fn text_of(kind: &str, length: usize) -> Value {
    json!({"type": kind, "text": "x".repeat(length)})
}

fn button(text: usize, value: usize, confirm: Value) -> Value {
    json!({"type": "actions", "elements": [
        {"type": "button", "action_id": "a", "text": text_of("plain_text", text), "value": "x".repeat(value), "confirm": confirm}]})
}

fn confirm(title: usize, text: usize, yes: usize) -> Value {
    json!({"title": text_of("plain_text", title), "text": text_of("plain_text", text),
           "confirm": text_of("plain_text", yes), "deny": text_of("plain_text", 1)})
}

#[test]
fn each_limit_is_kept_to_the_character() {
    for (limit, make) in [
        (MAX_HEADER, &(|n| json!({"type": "header", "text": text_of("plain_text", n)})) as &dyn Fn(usize) -> Value),
        (MAX_SECTION, &|n| json!({"type": "section", "text": text_of("mrkdwn", n)})),
        (MAX_FIELD, &|n| json!({"type": "section", "fields": [text_of("mrkdwn", n)]})),
        (MAX_FIELDS, &|n| json!({"type": "section", "fields": vec![text_of("mrkdwn", 1); n]})),
        (MAX_CONTEXT_ELEMENTS, &|n| json!({"type": "context", "elements": vec![text_of("mrkdwn", 1); n]})),
        (MAX_BUTTON, &|n| button(n, 1, confirm(1, 1, 1))),
        (MAX_VALUE, &|n| button(1, n, confirm(1, 1, 1))),
        (MAX_CONFIRM_TITLE, &|n| button(1, 1, confirm(n, 1, 1))),
        (MAX_CONFIRM_TEXT, &|n| button(1, 1, confirm(1, n, 1))),
        (MAX_CONFIRM_BUTTON, &|n| button(1, 1, confirm(1, 1, n))),
    ] {
        assert_eq!(validate(&[make(limit)]), Ok(()), "{limit}");
        assert!(fault(make(limit + 1)).contains(&format!("more than the {limit} ")), "{limit}");
        assert!(validate(&[make(0)]).is_err(), "{limit}");
    }
}

#[test]
fn the_fifty_first_block_is_one_too_many() {
    let divider = json!({"type": "divider"});
    assert_eq!(validate(&vec![divider.clone(); 50]), Ok(()));
    assert_eq!(validate(&vec![divider; 51]), Err(LimitError::TooMany { at: "blocks".into(), found: 51, limit: 50 }));
}

#[test]
fn an_astral_character_counts_as_two() {
    let header = json!({"type": "header", "text": {"type": "plain_text", "text": "😀".repeat(76)}});
    assert!(fault(header).contains("152"));
}

#[test]
fn what_slack_would_refuse_is_refused_and_its_place_named() {
    for (block, needle) in [
        (json!({"type": "carousel"}), "`carousel`"),
        (json!({"no": "type"}), "blocks[0] is not"),
        (json!("text"), "blocks[0] is not"),
        (json!({"type": "section"}), "blocks[0] is empty"),
        (json!({"type": "header", "text": text_of("mrkdwn", 1)}), "blocks[0].text"),
        (json!({"type": "section", "text": {"type": "mrkdwn", "text": 7}}), "blocks[0].text"),
        (json!({"type": "section", "text": text_of("mrkdwn", 1), "accessory": {}}), "accessory"),
        (json!({"type": "actions", "elements": [{"type": "datepicker"}]}), "`datepicker`"),
        (json!({"type": "divider", "block_id": "x".repeat(256)}), "block_id"),
        (button(1, 1, json!({"title": text_of("plain_text", 1)})), "confirm.text"),
    ] {
        let said = fault(block.clone());
        assert!(said.contains(needle), "{block}: {said}");
    }
    let mut twice = button(1, 1, confirm(1, 1, 1));
    let one = twice["elements"][0].clone();
    twice["elements"] = json!([one, one]);
    assert!(fault(twice).contains("used once"));
}

#[test]
fn everything_the_builder_makes_is_understood() {
    let ask = Confirm { title: "t".into(), text: "x".into(), confirm: "y".into(), deny: "n".into(), style: Style::Danger };
    let button = Button { action_id: "a", text: "A".into(), value: "v".into(), style: Style::Primary, confirm: Some(ask) };
    let blocks = [
        Block::Header("h".into()),
        Block::Section("s".into()),
        Block::Fields(vec!["f".into()]),
        Block::Context(vec!["c".into()]),
        Block::Divider,
        Block::Actions(vec![button]),
    ];
    assert_eq!(validate(&blocks.iter().map(Block::to_value).collect::<Vec<_>>()), Ok(()));
}

/// The models of Slack's own `slack_sdk` take these.
#[test]
fn what_slacks_own_models_let_pass_is_refused_by_our_checks() {
    let message = |blocks: Vec<Value>| Message { text: "x".into(), blocks };
    let divider = json!({"type": "divider"});
    assert!(validate_message(&message(vec![divider; 51])).is_err());
    let field = json!({"type": "section", "fields": [{"type": "mrkdwn", "text": "x".repeat(2_001)}]});
    assert!(validate_message(&message(vec![field])).is_err());
    assert!(validate_message(&message(vec![json!({"type": "carousel_of_ours"})])).is_err());
    let long = Message { text: "x".repeat(40_001), blocks: vec![json!({"type": "divider"})] };
    assert!(validate_message(&long).is_err());
    let section = json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(2_900)}});
    assert!(validate_message(&message(vec![section; 15])).is_err());
}
