//! Packs the selections of all rules into as few patterns as AWS's quota allows.
//!
//! If one pattern is too long, its services are split over several, so that an event fits only one of them. An exclusion that
//! does not fit is left out: that costs a duplicate execution, never an event. Leftover parts are combined again, so that there
//! are few patterns.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::condition::{Selection, Text, Values};

/// The patterns for the selections. `fits` says whether one is short enough; were one not to be, every record is let through.
pub(super) fn patterns(selections: &[Selection], fits: &dyn Fn(&Value) -> bool) -> Vec<Value> {
    let selections = simplified(selections);
    if selections.is_empty() {
        return Vec::new();
    }
    let every_record = || vec![json!({"eventSource": [{"exists": true}]})];
    if selections.contains(&Selection::default()) {
        return every_record();
    }
    match either(branches(&selections)) {
        Some(all) if fits(&all) => vec![all],
        _ => {
            let patterns = dealt_out(&selections, fits);
            if patterns.iter().all(fits) { patterns } else { every_record() }
        }
    }
}

/// One selection a service, joined where only the calls differ, without what another one covers already.
fn simplified(selections: &[Selection]) -> Vec<Selection> {
    let mut joined: BTreeMap<(Values, Values, Values), Values> = BTreeMap::new();
    for selection in selections {
        for service in each_service(selection) {
            join(&mut joined, (service, selection.caller.clone(), selection.error.clone()), &selection.call);
        }
    }
    let mut kept: Vec<Selection> = joined
        .into_iter()
        .map(|((service, caller, error), call)| Selection { service, call, caller, error, kind: None })
        .collect();
    for at in 0..kept.len() {
        let Some(mut selection) = kept.get(at).cloned() else { continue };
        for (_, other) in kept.iter().enumerate().filter(|(position, _)| *position != at) {
            subtract(&mut selection, other);
        }
        if let Some(slot) = kept.get_mut(at) {
            *slot = selection;
        }
    }
    kept.retain(|selection| selection.call.as_ref().is_none_or(|calls| !calls.is_empty()));
    kept
}

/// Exactly named services one by one; anything else as it is.
fn each_service(selection: &Selection) -> Vec<Values> {
    match &selection.service {
        Some(services) if services.iter().all(|service| matches!(service, Text::Exact(_))) => {
            services.iter().map(|service| Some(BTreeSet::from([service.clone()]))).collect()
        }
        other => vec![other.clone()],
    }
}

/// Takes out of a selection what the other one lets through anyway. An empty list of calls is left where that is everything.
fn subtract(selection: &mut Selection, other: &Selection) {
    let without_calls = |selection: &Selection| Selection { call: None, ..selection.clone() };
    let emptied = selection.call.as_ref().is_some_and(BTreeSet::is_empty);
    if emptied || other.call.as_ref().is_some_and(BTreeSet::is_empty) || !without_calls(other).covers(&without_calls(selection)) {
        return;
    }
    match (&mut selection.call, &other.call) {
        (calls, None) => *calls = Some(BTreeSet::new()),
        (Some(calls), Some(covered)) => {
            let covered = Selection { call: Some(covered.clone()), ..Selection::default() };
            calls.retain(|call| {
                !covered.covers(&Selection { call: Some(BTreeSet::from([call.clone()])), ..Selection::default() })
            });
        }
        (None, Some(_)) => {}
    }
}

/// Deals the services out to as few patterns as fit.
fn dealt_out(selections: &[Selection], fits: &dyn Fn(&Value) -> bool) -> Vec<Value> {
    let (named, open): (Vec<Selection>, Vec<Selection>) =
        selections.iter().cloned().partition(|selection| service_name(selection).is_some());
    let services: BTreeSet<&str> = named.iter().filter_map(|selection| service_name(selection)).collect();
    let mut groups: Vec<Vec<Selection>> = services.iter().map(|service| of_service(service, &named, &open)).collect();
    // The longest first, so that short ones fill what is left.
    groups.sort_by_key(|group| Reverse(either(branches(group)).map_or(0, |pattern| length(&pattern))));
    let mut bins: Vec<Vec<Selection>> = Vec::new();
    let mut patterns: Vec<Value> = Vec::new();
    for group in groups {
        let whole = |selections: &[Selection]| either(branches(selections)).is_some_and(|pattern| fits(&pattern));
        if !whole(&group) {
            patterns.extend(one_service(&group, fits));
        } else if let Some(bin) = bins.iter_mut().find(|bin| whole(&[bin.as_slice(), group.as_slice()].concat())) {
            bin.extend(group);
        } else {
            bins.push(group);
        }
    }
    patterns.extend(bins.iter().filter_map(|bin| either(branches(bin))));
    let elsewhere =
        either(branches(&open)).map(|open| if services.is_empty() { open } else { of_other_services(&services, open) });
    match elsewhere {
        Some(elsewhere) if fits(&elsewhere) => patterns.push(elsewhere),
        Some(_) => patterns.extend(open.iter().flat_map(|selection| in_pieces(selection, &Taken::default(), fits))),
        None => {}
    }
    packed(patterns, fits)
}

fn length(pattern: &Value) -> usize {
    pattern.to_string().len()
}

/// The same alternatives in as few patterns as fit, each alternative whole. None has a `$or` of its own below another one.
fn packed(mut patterns: Vec<Value>, fits: &dyn Fn(&Value) -> bool) -> Vec<Value> {
    patterns.sort_by_key(|pattern| Reverse(length(pattern)));
    let mut packed: Vec<Vec<Value>> = Vec::new();
    for pattern in patterns {
        let more = alternatives(&pattern);
        let room = |held: &&mut Vec<Value>| {
            let together = [held.as_slice(), more.as_slice()].concat();
            together.iter().all(|alternative| alternative.get("$or").is_none())
                && either(together).is_some_and(|whole| fits(&whole))
        };
        match packed.iter_mut().find(room) {
            Some(held) => held.extend(more),
            None => packed.push(more),
        }
    }
    packed.into_iter().filter_map(either).collect()
}

/// What a pattern lists below its `$or`; a pattern without one is one alternative.
fn alternatives(pattern: &Value) -> Vec<Value> {
    match (pattern.as_object().map(Map::len), pattern.get("$or").and_then(Value::as_array)) {
        (Some(1), Some(alternatives)) => alternatives.clone(),
        _ => vec![pattern.clone()],
    }
}

/// The pattern with the services that other patterns take left out. Nothing is left out of one that names services itself.
fn of_other_services(taken: &BTreeSet<&str>, pattern: Value) -> Value {
    let names_services = pattern.to_string().contains("\"eventSource\"");
    match pattern {
        Value::Object(mut fields) if !names_services => {
            fields.insert("eventSource".to_owned(), Value::Array(anything_but(taken)));
            Value::Object(fields)
        }
        other => other,
    }
}

/// The service of a selection that is for exactly one.
fn service_name(selection: &Selection) -> Option<&str> {
    let services = selection.service.as_ref()?;
    match services.iter().next() {
        Some(Text::Exact(name)) if services.len() == 1 => Some(name),
        _ => None,
    }
}

/// What is selected of one service: its own selections and those for any service. They are not joined, because the latter
/// become one alternative for all services of a pattern.
fn of_service(service: &str, named: &[Selection], open: &[Selection]) -> Vec<Selection> {
    let own = Some(BTreeSet::from([Text::Exact(service.to_owned())]));
    let ours = named.iter().filter(|selection| service_name(selection) == Some(service)).cloned();
    // A selection of services by prefix or suffix is taken to be for this one too, which at most widens it.
    let theirs = open.iter().map(|selection| Selection { service: own.clone(), ..selection.clone() });
    ours.chain(theirs).collect()
}

/// What other patterns take: left out of one, an event fits only one of them.
#[derive(Default)]
struct Taken<'a> {
    callers: BTreeSet<&'a str>,
    errors: BTreeSet<&'a str>,
}

/// The patterns of one service whose selections do not fit into one: those for any call of some callers or with some errors, and
/// the calls by name for all others.
fn one_service(group: &[Selection], fits: &dyn Fn(&Value) -> bool) -> Vec<Value> {
    let (any_call, by_name): (Vec<Selection>, Vec<Selection>) =
        group.iter().cloned().partition(|selection| selection.call.is_none());
    let taken = Taken {
        callers: any_call.iter().filter(|any| any.error.is_none()).flat_map(|any| exactly(&any.caller)).collect(),
        errors: any_call.iter().filter(|any| any.caller.is_none()).flat_map(|any| exactly(&any.error)).collect(),
    };
    let mut patterns: Vec<Value> = either(branches(&any_call)).into_iter().collect();
    patterns.extend(by_name.iter().flat_map(|selection| in_pieces(selection, &taken, fits)));
    patterns
}

fn exactly(values: &Values) -> impl Iterator<Item = &str> {
    values.iter().flatten().filter_map(|text| match text {
        Text::Exact(name) => Some(name.as_str()),
        Text::AnyCase(_) | Text::Prefix(_) | Text::Suffix(_) => None,
    })
}

/// One selection as patterns that fit, each with a part of its calls.
fn in_pieces(selection: &Selection, taken: &Taken<'_>, fits: &dyn Fn(&Value) -> bool) -> Vec<Value> {
    let render = |calls: &BTreeSet<Text>| branch(&Selection { call: Some(calls.clone()), ..selection.clone() }, taken);
    let Some(calls) = &selection.call else { return vec![branch(selection, taken)] };
    let mut pieces: Vec<BTreeSet<Text>> = Vec::new();
    for call in calls {
        let mut piece = pieces.pop().unwrap_or_default();
        piece.insert(call.clone());
        if piece.len() > 1 && !fits(&render(&piece)) {
            piece.remove(call);
            pieces.push(piece);
            piece = BTreeSet::from([call.clone()]);
        }
        pieces.push(piece);
    }
    pieces.iter().map(render).collect()
}

/// The alternatives of a pattern: selections that differ only in their callers, or then only in their services, share one.
fn branches(selections: &[Selection]) -> Vec<Value> {
    let mut by_caller: BTreeMap<(Values, Values, Values), Values> = BTreeMap::new();
    for Selection { service, call, caller, error, kind: _ } in selections {
        join(&mut by_caller, (service.clone(), call.clone(), error.clone()), caller);
    }
    let mut by_service: BTreeMap<(Values, Values, Values), Values> = BTreeMap::new();
    for ((service, call, error), caller) in by_caller {
        join(&mut by_service, (call, caller, error), &service);
    }
    by_service
        .into_iter()
        .map(|((call, caller, error), service)| {
            branch(&Selection { service, call, caller, error, kind: None }, &Taken::default())
        })
        .collect()
}

/// Adds values to those of the same key. Any value, on either side, stays any value.
fn join<K: Ord>(joined: &mut BTreeMap<K, Values>, key: K, more: &Values) {
    match joined.entry(key) {
        Entry::Vacant(slot) => {
            slot.insert(more.clone());
        }
        Entry::Occupied(mut slot) => match (slot.get_mut(), more) {
            (Some(values), Some(more)) => values.extend(more.iter().cloned()),
            (values, _) => *values = None,
        },
    }
}

fn either(mut branches: Vec<Value>) -> Option<Value> {
    if branches.len() > 1 { Some(json!({ "$or": branches })) } else { branches.pop() }
}

/// One alternative as EventBridge writes it, without what other patterns take.
fn branch(selection: &Selection, taken: &Taken<'_>) -> Value {
    // Only where the service is named: every event of any other kind lacks CloudTrail's fields too.
    let or_absent = selection.service.is_some();
    let mut fields = Map::new();
    if let Some(services) = &selection.service {
        fields.insert("eventSource".to_owned(), Value::Array(values(services, false)));
    }
    if let Some(calls) = &selection.call {
        fields.insert("eventName".to_owned(), Value::Array(values(calls, or_absent)));
    }
    let limited = |wanted: &Values, taken: &BTreeSet<&str>, or_absent: bool| match wanted {
        Some(wanted) => Some(values(wanted, or_absent)),
        None if taken.is_empty() => None,
        None => Some(anything_but(taken)),
    };
    if let Some(callers) = limited(&selection.caller, &taken.callers, or_absent) {
        fields.insert("userIdentity".to_owned(), json!({ "type": callers }));
    }
    // A call without an error is a success, and nothing that could not be read.
    if let Some(errors) = limited(&selection.error, &taken.errors, false) {
        fields.insert("errorCode".to_owned(), Value::Array(errors));
    }
    Value::Object(fields)
}

pub(super) fn values(texts: &BTreeSet<Text>, or_absent: bool) -> Vec<Value> {
    let mut values: Vec<Value> = texts
        .iter()
        .map(|text| match text {
            Text::Exact(text) => json!(text),
            Text::AnyCase(text) => json!({"equals-ignore-case": text}),
            Text::Prefix(text) => json!({"prefix": text}),
            Text::Suffix(text) => json!({"suffix": text}),
        })
        .collect();
    if or_absent {
        values.extend([Value::Null, json!({"exists": false})]);
    }
    values
}

/// "None of these" does not hold of a field that is not there, so its absence is named as well.
fn anything_but(taken: &BTreeSet<&str>) -> Vec<Value> {
    vec![json!({ "anything-but": taken }), Value::Null, json!({"exists": false})]
}
