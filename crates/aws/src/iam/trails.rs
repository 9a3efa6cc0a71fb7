//! CloudTrail, in the region that a trail's ARN names, and its event selectors as the JSON of its records.

use async_trait::async_trait;
use aws_sdk_cloudtrail::config::Region;
use aws_sdk_cloudtrail::types::{AdvancedEventSelector, AdvancedFieldSelector, DataResource, EventSelector, ReadWriteType};
use aws_sdk_cloudtrail::{Client, Config};
use cordon_core::touched::canonical_selectors;
use cordon_respond::{IamError, IamErrorKind, TrailFacts, Trails};
use serde_json::{Value, json};

use super::{SdkIam, failed, none_if_missing};

impl SdkIam {
    /// A trail is changed only in its home region.
    fn trails_of(&self, arn: &str) -> Client {
        let Some(region) = arn.split(':').nth(3).filter(|region| !region.is_empty()) else { return self.trails.clone() };
        Client::from_conf(Config::to_builder(self.trails.config()).region(Region::new(region.to_owned())).build())
    }
}

#[async_trait]
impl Trails for SdkIam {
    async fn trail(&self, arn: &str) -> Result<Option<TrailFacts>, IamError> {
        let client = self.trails_of(arn);
        let status = client.get_trail_status().name(arn).send().await.map_err(|e| failed("cloudtrail:GetTrailStatus", e));
        let Some(logging) = none_if_missing(status.map(|status| Some(status.is_logging.unwrap_or(false))))? else {
            return Ok(None);
        };
        let answer = client.get_event_selectors().trail_name(arn).send().await;
        let answer = answer.map_err(|e| failed("cloudtrail:GetEventSelectors", e))?;
        let selectors = canonical_selectors(&json!({
            "eventSelectors": answer.event_selectors().iter().map(shown).collect::<Vec<_>>(),
            "advancedEventSelectors": answer.advanced_event_selectors().iter().map(shown_advanced).collect::<Vec<_>>(),
        }));
        Ok(Some(TrailFacts { logging, selectors }))
    }

    async fn start_logging(&self, arn: &str) -> Result<(), IamError> {
        let sent = self.trails_of(arn).start_logging().name(arn).send().await;
        sent.map(drop).map_err(|e| failed("cloudtrail:StartLogging", e))
    }

    async fn stop_logging(&self, arn: &str) -> Result<(), IamError> {
        let sent = self.trails_of(arn).stop_logging().name(arn).send().await;
        sent.map(drop).map_err(|e| failed("cloudtrail:StopLogging", e))
    }

    async fn put_event_selectors(&self, arn: &str, selectors: &str) -> Result<(), IamError> {
        let action = "cloudtrail:PutEventSelectors";
        let wrong = || IamError::new(IamErrorKind::Other, action, "the event selectors cannot be read");
        let selectors: Value = serde_json::from_str(selectors).map_err(|_| wrong())?;
        let list = |key: &str| selectors.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let (basic, advanced) = (list("eventSelectors"), list("advancedEventSelectors"));
        let mut call = self.trails_of(arn).put_event_selectors().trail_name(arn);
        for selector in &basic {
            call = call.event_selectors(read(selector));
        }
        for selector in &advanced {
            call = call.advanced_event_selectors(read_advanced(selector).ok_or_else(wrong)?);
        }
        call.send().await.map(drop).map_err(|e| failed(action, e))
    }
}

fn shown(selector: &EventSelector) -> Value {
    let resources: Vec<Value> = selector
        .data_resources()
        .iter()
        .map(|resource| json!({"type": resource.r#type(), "values": resource.values()}))
        .collect();
    json!({
        "readWriteType": selector.read_write_type().map(ReadWriteType::as_str),
        "includeManagementEvents": selector.include_management_events(),
        "dataResources": resources,
        "excludeManagementEventSources": selector.exclude_management_event_sources(),
    })
}

fn shown_advanced(selector: &AdvancedEventSelector) -> Value {
    let field = |field: &AdvancedFieldSelector| {
        json!({
            "field": field.field(), "equals": field.equals(), "notEquals": field.not_equals(), "startsWith": field.starts_with(),
            "notStartsWith": field.not_starts_with(), "endsWith": field.ends_with(), "notEndsWith": field.not_ends_with(),
        })
    };
    json!({"name": selector.name(), "fieldSelectors": selector.field_selectors().iter().map(field).collect::<Vec<_>>()})
}

fn read(selector: &Value) -> EventSelector {
    let resource = |resource: &Value| {
        DataResource::builder()
            .set_type(resource["type"].as_str().map(str::to_owned))
            .set_values(texts(&resource["values"]))
            .build()
    };
    let resources = selector["dataResources"].as_array().map(|resources| resources.iter().map(resource).collect());
    EventSelector::builder()
        .set_read_write_type(selector["readWriteType"].as_str().map(ReadWriteType::from))
        .set_include_management_events(selector["includeManagementEvents"].as_bool())
        .set_data_resources(resources)
        .set_exclude_management_event_sources(texts(&selector["excludeManagementEventSources"]))
        .build()
}

fn read_advanced(selector: &Value) -> Option<AdvancedEventSelector> {
    let field = |field: &Value| {
        AdvancedFieldSelector::builder()
            .set_field(field["field"].as_str().map(str::to_owned))
            .set_equals(texts(&field["equals"]))
            .set_not_equals(texts(&field["notEquals"]))
            .set_starts_with(texts(&field["startsWith"]))
            .set_not_starts_with(texts(&field["notStartsWith"]))
            .set_ends_with(texts(&field["endsWith"]))
            .set_not_ends_with(texts(&field["notEndsWith"]))
            .build()
            .ok()
    };
    let fields = selector["fieldSelectors"].as_array()?.iter().map(field).collect::<Option<Vec<_>>>()?;
    let built = AdvancedEventSelector::builder()
        .set_name(selector["name"].as_str().map(str::to_owned))
        .set_field_selectors(Some(fields))
        .build();
    built.ok()
}

fn texts(values: &Value) -> Option<Vec<String>> {
    values.as_array().map(|values| values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_come_back_as_they_were_written() {
        let basic = json!({"readWriteType": "WriteOnly", "includeManagementEvents": true,
            "dataResources": [{"type": "AWS::S3::Object", "values": ["arn:aws:s3"]}], "excludeManagementEventSources": ["kms.amazonaws.com"]});
        assert_eq!(shown(&read(&basic)), basic);
        let advanced = json!({"name": "n", "fieldSelectors": [{"field": "eventCategory", "equals": ["Management"], "notEquals": ["x"],
            "startsWith": [], "notStartsWith": ["y"], "endsWith": ["z"], "notEndsWith": []}]});
        assert_eq!(shown_advanced(&read_advanced(&advanced).unwrap()), advanced);
        assert!(read_advanced(&json!({"name": "n"})).is_none());
    }
}
