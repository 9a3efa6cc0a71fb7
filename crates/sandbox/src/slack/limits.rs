//! Slack's limits on Block Kit, as the stand-in enforces them: it must refuse every message that Slack would refuse.
//!
//! The figures are from Slack's Block Kit reference. Faults have Slack's names in `response_metadata.messages`.

use serde_json::Value;

const BLOCKS_MAX: usize = 50;
const SECTION_MAX: usize = 3_000;
const FIELDS_MAX: usize = 10;
const FIELD_MAX: usize = 2_000;
const HEADER_MAX: usize = 150;
const CONTEXT_ELEMENTS_MAX: usize = 10;
const ACTIONS_MAX: usize = 25;
const BUTTON_TEXT_MAX: usize = 75;
const BUTTON_VALUE_MAX: usize = 2_000;
const ACTION_ID_MAX: usize = 255;
const BLOCK_ID_MAX: usize = 255;
const CONFIRM_TITLE_MAX: usize = 100;
const CONFIRM_TEXT_MAX: usize = 300;
const CONFIRM_BUTTON_MAX: usize = 30;
const VIEW_TITLE_MAX: usize = 24;
const VIEW_BLOCKS_MAX: usize = 100;
const METADATA_MAX: usize = 3_000;
const LABEL_MAX: usize = 2_000;
const INPUT_MAX: u64 = 3_000;
/// What all blocks hold together, and what each adds to it: not published, but measured by others
/// (<https://github.com/slackapi/bolt-js/issues/2509>).
const MESSAGE_MAX: usize = 13_422;
const BLOCK_COST: usize = 125;

/// What is wrong with a message's blocks, or with those of its attachments. Empty if Slack would take them.
#[must_use]
pub fn faults(blocks: &Value, attachments: &Value) -> Vec<String> {
    let mut check = Check::default();
    check.blocks(blocks, "blocks");
    for (index, attachment) in items(attachments).iter().enumerate() {
        if let Some(blocks) = attachment.get("blocks") {
            check.blocks(blocks, &format!("attachments/{index}/blocks"));
        }
    }
    check.faults
}

/// Whether Slack would answer `msg_blocks_too_long`.
#[must_use]
pub fn too_long(blocks: &Value) -> bool {
    fn characters(value: &Value) -> usize {
        match value {
            Value::String(text) => text.chars().count(),
            Value::Array(items) => items.iter().map(characters).sum(),
            Value::Object(fields) => fields.values().map(characters).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }
    items(blocks).len() * BLOCK_COST + characters(blocks) > MESSAGE_MAX
}

/// What is wrong with a dialog. Empty if Slack would take it.
#[must_use]
pub fn view_faults(view: &Value) -> Vec<String> {
    let mut check = Check::default();
    if kind(view) != "modal" {
        check.fault("must be of type modal", "view/type");
    }
    for part in ["title", "submit", "close"] {
        if part == "title" || view.get(part).is_some() {
            check.text_object(view.get(part), &["plain_text"], VIEW_TITLE_MAX, &format!("view/{part}"));
        }
    }
    for (part, limit) in [("private_metadata", METADATA_MAX), ("callback_id", ACTION_ID_MAX)] {
        if let Some(text) = view.get(part) {
            check.text_length(text, limit, &format!("view/{part}"));
        }
    }
    let blocks = items(view.get("blocks").unwrap_or(&Value::Null));
    if blocks.is_empty() || blocks.len() > VIEW_BLOCKS_MAX {
        check.fault(&format!("1 to {VIEW_BLOCKS_MAX} items allowed"), "view/blocks");
    }
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("view/blocks/{index}");
        if kind(block) == "input" { check.input(block, &at) } else { check.block(block, &at) }
    }
    if blocks.iter().any(|block| kind(block) == "input") && view.get("submit").is_none() {
        check.fault("missing required field: submit", "view");
    }
    check.faults
}

#[derive(Default)]
struct Check {
    faults: Vec<String>,
}

impl Check {
    fn blocks(&mut self, blocks: &Value, at: &str) {
        if blocks.is_null() {
            return;
        }
        if !blocks.is_array() {
            return self.fault("must be an array", at);
        }
        let list = items(blocks);
        if list.len() > BLOCKS_MAX {
            self.fault(&format!("no more than {BLOCKS_MAX} items allowed"), at);
        }
        for (index, block) in list.iter().enumerate() {
            self.block(block, &format!("{at}/{index}"));
        }
    }

    fn block(&mut self, block: &Value, at: &str) {
        if let Some(id) = block.get("block_id") {
            self.text_length(id, BLOCK_ID_MAX, &format!("{at}/block_id"));
        }
        match kind(block) {
            "divider" => {}
            "header" => self.text_object(block.get("text"), &["plain_text"], HEADER_MAX, &format!("{at}/text")),
            "section" => self.section(block, at),
            "context" => self.context(block, at),
            "actions" => self.actions(block, at),
            "image" => {
                if block.get("alt_text").is_none() {
                    self.fault("missing required field: alt_text", at);
                }
            }
            "rich_text" => {
                if !block.get("elements").is_some_and(Value::is_array) {
                    self.fault("missing required field: elements", at);
                }
            }
            other => self.fault(&format!("unsupported type: {other}"), at),
        }
    }

    fn section(&mut self, block: &Value, at: &str) {
        let fields = block.get("fields");
        if block.get("text").is_none() && fields.is_none() {
            self.fault("missing required field: text or fields", at);
        }
        if let Some(text) = block.get("text") {
            self.text_object(Some(text), &["mrkdwn", "plain_text"], SECTION_MAX, &format!("{at}/text"));
        }
        if let Some(fields) = fields {
            let list = items(fields);
            if list.is_empty() || list.len() > FIELDS_MAX {
                self.fault(&format!("1 to {FIELDS_MAX} items allowed"), &format!("{at}/fields"));
            }
            for (index, field) in list.iter().enumerate() {
                self.text_object(Some(field), &["mrkdwn", "plain_text"], FIELD_MAX, &format!("{at}/fields/{index}"));
            }
        }
        if let Some(accessory) = block.get("accessory") {
            self.element(accessory, &format!("{at}/accessory"));
        }
    }

    fn context(&mut self, block: &Value, at: &str) {
        let list = items(block.get("elements").unwrap_or(&Value::Null));
        if list.is_empty() || list.len() > CONTEXT_ELEMENTS_MAX {
            self.fault(&format!("1 to {CONTEXT_ELEMENTS_MAX} items allowed"), &format!("{at}/elements"));
        }
        for (index, element) in list.iter().enumerate() {
            let at = format!("{at}/elements/{index}");
            match kind(element) {
                "mrkdwn" | "plain_text" => self.text_object(Some(element), &["mrkdwn", "plain_text"], SECTION_MAX, &at),
                "image" => {}
                other => self.fault(&format!("unsupported type: {other}"), &at),
            }
        }
    }

    fn actions(&mut self, block: &Value, at: &str) {
        let list = items(block.get("elements").unwrap_or(&Value::Null));
        if list.is_empty() || list.len() > ACTIONS_MAX {
            self.fault(&format!("1 to {ACTIONS_MAX} items allowed"), &format!("{at}/elements"));
        }
        let mut seen = Vec::new();
        for (index, element) in list.iter().enumerate() {
            let at = format!("{at}/elements/{index}");
            self.element(element, &at);
            if let Some(id) = element.get("action_id").and_then(Value::as_str) {
                if seen.contains(&id) {
                    self.fault("`action_id` already exists for this block", &at);
                }
                seen.push(id);
            }
        }
    }

    fn input(&mut self, block: &Value, at: &str) {
        self.text_object(block.get("label"), &["plain_text"], LABEL_MAX, &format!("{at}/label"));
        if block.get("hint").is_some() {
            self.text_object(block.get("hint"), &["plain_text"], LABEL_MAX, &format!("{at}/hint"));
        }
        let element = block.get("element").unwrap_or(&Value::Null);
        if kind(element) != "plain_text_input" {
            return self.fault(&format!("unsupported type: {}", kind(element)), &format!("{at}/element"));
        }
        for name in ["min_length", "max_length"] {
            if element.get(name).is_some_and(|length| length.as_u64().is_none_or(|length| length > INPUT_MAX)) {
                self.fault(&format!("must be at most {INPUT_MAX}"), &format!("{at}/element/{name}"));
            }
        }
    }

    fn element(&mut self, element: &Value, at: &str) {
        match kind(element) {
            "button" => {
                self.text_object(element.get("text"), &["plain_text"], BUTTON_TEXT_MAX, &format!("{at}/text"));
                for (field, limit) in [("value", BUTTON_VALUE_MAX), ("action_id", ACTION_ID_MAX)] {
                    if let Some(value) = element.get(field) {
                        self.text_length(value, limit, &format!("{at}/{field}"));
                    }
                }
                if let Some(style) = element.get("style")
                    && !matches!(style.as_str(), Some("primary" | "danger"))
                {
                    self.fault("must be `primary` or `danger`", &format!("{at}/style"));
                }
                if let Some(confirm) = element.get("confirm") {
                    self.confirm(confirm, &format!("{at}/confirm"));
                }
            }
            "static_select" | "users_select" | "overflow" | "image" | "datepicker" => {}
            other => self.fault(&format!("unsupported type: {other}"), at),
        }
    }

    fn confirm(&mut self, confirm: &Value, at: &str) {
        self.text_object(confirm.get("title"), &["plain_text"], CONFIRM_TITLE_MAX, &format!("{at}/title"));
        self.text_object(confirm.get("text"), &["plain_text", "mrkdwn"], CONFIRM_TEXT_MAX, &format!("{at}/text"));
        for field in ["confirm", "deny"] {
            self.text_object(confirm.get(field), &["plain_text"], CONFIRM_BUTTON_MAX, &format!("{at}/{field}"));
        }
    }

    fn text_object(&mut self, text: Option<&Value>, kinds: &[&str], limit: usize, at: &str) {
        let Some(text) = text else { return self.fault("missing required field", at) };
        if !kinds.contains(&kind(text)) {
            return self.fault(&format!("must be of type {}", kinds.join(" or ")), at);
        }
        self.text_length(text.get("text").unwrap_or(&Value::Null), limit, &format!("{at}/text"));
    }

    fn text_length(&mut self, value: &Value, limit: usize, at: &str) {
        match value.as_str().map(|text| text.chars().count()) {
            None => self.fault("must be a string", at),
            Some(0) => self.fault("must be more than 0 characters", at),
            Some(length) if length > limit => self.fault(&format!("must be less than {} characters", limit + 1), at),
            Some(_) => {}
        }
    }

    fn fault(&mut self, what: &str, at: &str) {
        self.faults.push(format!("[ERROR] {what} [json-pointer:/{at}]"));
    }
}

fn kind(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(kind: &str, length: usize) -> Value {
        json!({"type": kind, "text": "x".repeat(length)})
    }

    fn button(value: usize) -> Value {
        json!({"type": "button", "action_id": "a", "value": "v".repeat(value), "text": text("plain_text", 75)})
    }

    #[test]
    fn each_limit_holds_at_its_edge() {
        let section = |length| json!([{"type": "section", "text": text("mrkdwn", length)}]);
        let fields = |count: usize, length| json!([{"type": "section", "fields": vec![text("mrkdwn", length); count]}]);
        let actions = |element: Value| json!([{"type": "actions", "elements": [element]}]);
        let confirm = |length| {
            let mut element = button(1);
            element["confirm"] = json!({
                "title": text("plain_text", 100), "text": text("plain_text", length),
                "confirm": text("plain_text", 30), "deny": text("plain_text", 30),
            });
            actions(element)
        };
        let cases = [
            (section(3_000), true),
            (section(3_001), false),
            (section(0), false),
            (fields(10, 2_000), true),
            (fields(10, 2_001), false),
            (fields(11, 1), false),
            (json!([{"type": "header", "text": text("plain_text", 150)}]), true),
            (json!([{"type": "header", "text": text("plain_text", 151)}]), false),
            (json!([{"type": "header", "text": text("mrkdwn", 10)}]), false),
            (actions(button(2_000)), true),
            (actions(button(2_001)), false),
            (confirm(300), true),
            (confirm(301), false),
            (json!(vec![json!({"type": "divider"}); 50]), true),
            (json!(vec![json!({"type": "divider"}); 51]), false),
            (json!([{"type": "sectoin", "text": text("mrkdwn", 1)}]), false),
            (json!([{"type": "context", "elements": [text("mrkdwn", 5)]}]), true),
            (json!([{"type": "context", "elements": []}]), false),
            (json!("text"), false),
            (Value::Null, true),
        ];
        for (blocks, taken) in cases {
            let found = faults(&blocks, &Value::Null);
            assert_eq!(found.is_empty(), taken, "{found:?}");
        }
    }

    #[test]
    fn many_blocks_may_be_too_long_together_though_each_is_not() {
        let section = json!({"type": "section", "text": text("mrkdwn", 2_900)});
        assert!(!too_long(&json!(vec![section.clone(); 4])));
        assert!(too_long(&json!(vec![section; 5])));
        assert!(!too_long(&Value::Null));
    }

    #[test]
    fn two_buttons_may_not_share_an_action_id() {
        let blocks = json!([{"type": "actions", "elements": [button(1), button(2)]}]);
        assert_eq!(
            faults(&blocks, &Value::Null),
            ["[ERROR] `action_id` already exists for this block [json-pointer:/blocks/0/elements/1]"]
        );
    }

    #[test]
    fn blocks_inside_an_attachment_are_held_to_the_same_limits() {
        let attachments = json!([{"color": "#f00", "blocks": [{"type": "header", "text": text("plain_text", 151)}]}]);
        assert_eq!(
            faults(&Value::Null, &attachments),
            ["[ERROR] must be less than 151 characters [json-pointer:/attachments/0/blocks/0/text/text]"]
        );
    }
}
