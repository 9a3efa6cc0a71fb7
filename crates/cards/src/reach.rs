//! The reach of the subject's credentials, in sentences.

use cordon_core::{BlastRadius, KeyUse};

use crate::layout::utc;

/// One sentence for each key, one each for policies and groups, and one for each part that could not be read.
pub(crate) fn sentences(found: &BlastRadius) -> Vec<String> {
    let mut said: Vec<String> = found.keys.iter().map(key).collect();
    let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if !found.policies.is_empty() {
        said.push(format!("Managed policies on `{}`: {}.", found.principal, list(&found.policies)));
    }
    if !found.groups.is_empty() {
        said.push(format!("Groups: {}.", list(&found.groups)));
    }
    if found.more > 0 {
        said.push(format!("{} more policies or groups.", found.more));
    }
    if said.is_empty() && found.unknown.is_empty() {
        said.push(format!("`{}` has no access key, no managed policy and no group now.", found.principal));
    }
    said.extend(found.unknown.iter().cloned());
    said
}

fn key(key: &KeyUse) -> String {
    let state = if key.active { "active" } else { "inactive" };
    let used = match key.last_used {
        None => "no use reported yet (AWS reports it hours late)".to_owned(),
        Some(at) => {
            let known = |name: &&String| !name.is_empty() && name.as_str() != "N/A";
            let service = key.service.as_ref().filter(known).map(|service| format!(" for `{service}`")).unwrap_or_default();
            let region = key.region.as_ref().filter(known).map(|region| format!(" in `{region}`")).unwrap_or_default();
            format!("last reported use at `{}`{service}{region}", utc(at))
        }
    };
    format!("Access key `{}`: {state}, {used}.", key.id)
}
