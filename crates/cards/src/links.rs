//! Addresses in the AWS console, from ids that are checked first: an id that could change an address makes none.

use cordon_core::Incident;

/// Where to see more of an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// The execution in the state machine's console.
    pub execution: Option<String>,
    /// The event in CloudTrail's console.
    pub event: Option<String>,
}

impl Links {
    pub fn of(incident: &Incident) -> Self {
        Self { execution: execution(&incident.execution), event: event(incident) }
    }
}

/// The execution in the state machine's console; `None` where the ARN names no region.
pub(crate) fn execution(arn: &str) -> Option<String> {
    let region = arn.split(':').nth(3).filter(|region| is_plain(region))?;
    Some(format!("https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{arn}"))
}

/// The event in CloudTrail's console, which finds it by its id in the region that recorded it.
pub(crate) fn event(incident: &Incident) -> Option<String> {
    let region = incident.event.region.as_deref().unwrap_or("us-east-1");
    let id = incident.event.id.as_str();
    (is_plain(region) && is_plain(id))
        .then(|| format!("https://{region}.console.aws.amazon.com/cloudtrailv2/home?region={region}#/events/{id}"))
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
