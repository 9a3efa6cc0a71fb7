//! Opens the incident of an event, or joins the event to the one that answers it.
//!
//! INVARIANT: what an event has claimed answers it, or it has an incident of its own.

use cordon_contract::ClassifyOutput;
use cordon_core::event::{Distrust, Event};
use cordon_core::incident::{Incident, JoinedEvent};
use cordon_core::json::at;
use cordon_core::{EventId, IncidentId};
use cordon_store::{Claim, Opening};
use jiff::Timestamp;

use super::detected::detected;
use super::{Burst, Classify, ClassifyError, two_records};

/// How often opening is tried against other executions of the same case.
const OPEN_TRIES: u32 = 12;

impl Classify<'_> {
    /// Opens the incident of a readable event, or finds the one that answers the event.
    pub(super) async fn open(
        &self,
        event: &Event,
        incident: Incident,
        burst: Option<&Burst>,
    ) -> Result<ClassifyOutput, ClassifyError> {
        if let Some(Distrust::Replayed { .. }) = &event.distrust
            && let Some(incident) = self.answered_before(event).await?
        {
            return Ok(ClassifyOutput::Duplicate { incident });
        }
        let Some(shared) = &event.shared_id else { return self.claim_and_open(incident, None, burst).await };
        let execution = incident.execution.clone();
        let call = two_records::claimed(shared, &incident);
        let output = self.claim_and_open(incident, call.as_ref(), burst).await?;
        if call.as_ref() != Some(shared)
            && let ClassifyOutput::Opened { incident } | ClassifyOutput::Merged { incident } = &output
        {
            self.store.claim_call(shared, incident, &execution, self.clock.now()).await?;
        }
        Ok(output)
    }

    /// The incident that has the event of which an archive holds a copy. Where there is one, the copy is no news.
    async fn answered_before(&self, copy: &Event) -> Result<Option<IncidentId>, ClassifyError> {
        let id: Option<EventId> = at(&copy.record, "/eventID").as_str().and_then(|id| id.parse().ok());
        match id {
            Some(id) => Ok(self.store.answered_by(&id).await?),
            None => Ok(None),
        }
    }

    pub(super) async fn claim_and_open(
        &self,
        incident: Incident,
        shared: Option<&EventId>,
        burst: Option<&Burst>,
    ) -> Result<ClassifyOutput, ClassifyError> {
        let now = self.clock.now();
        match self.store.claim(&incident.event.id, shared, &incident.id, &incident.execution, now).await? {
            Claim::Taken(incident) => return Ok(ClassifyOutput::Duplicate { incident }),
            Claim::SharedWith(other) => {
                if says_no_more(&incident, &self.opened_by_other(&other).await?) {
                    return self.join_for_good(other, &incident, shared).await;
                }
                // Another account's record of the call broke fewer rules: its incident would not answer this one.
                self.store.point_claim(&incident.event.id, None, &incident.id, &incident.execution, now).await?;
            }
            Claim::Mine => {}
        }
        if let Some(other) = self.open_burst(burst, &incident).await? {
            return self.join_for_good(other, &incident, shared).await;
        }
        let mut tries = 0;
        loop {
            let mut opened = incident.clone();
            match self.store.open(&mut opened, detected(&incident, burst), now).await {
                Ok(Opening::Opened) => return Ok(ClassifyOutput::Opened { incident: opened.id }),
                Ok(Opening::Taken(incident)) => return Ok(ClassifyOutput::Duplicate { incident }),
                // Where it was decided in this very moment, this event opens the next incident.
                Ok(Opening::Joined(other)) => match self.join(&other, &incident, shared).await? {
                    true => return Ok(ClassifyOutput::Merged { incident: other }),
                    false if tries < OPEN_TRIES => {}
                    false => return Err(ClassifyError::OpensAndCloses),
                },
                Err(error) if error.is_conflict() && tries < OPEN_TRIES => {}
                Err(error) => return Err(error.into()),
            }
            tries += 1;
            self.store.pause(tries).await;
        }
    }

    /// The incident of a burst that another event opened. Where that never came to be, the event goes its own way.
    async fn open_burst(&self, burst: Option<&Burst>, incident: &Incident) -> Result<Option<IncidentId>, ClassifyError> {
        let Some(other) = burst.and_then(|burst| burst.name.parse::<IncidentId>().ok()) else { return Ok(None) };
        if other == incident.id {
            return Ok(None);
        }
        Ok(self.store.find(&other).await?.map(|found| found.id))
    }

    /// Waits for the incident of the other record of the same call, which is judged at this moment.
    async fn opened_by_other(&self, id: &IncidentId) -> Result<Incident, ClassifyError> {
        for tries in 1..=OPEN_TRIES {
            if let Some(opened) = self.store.find(id).await? {
                return Ok(opened);
            }
            self.store.pause(tries).await;
        }
        Err(ClassifyError::NotOpenYet)
    }

    /// Joins the event to the open incident of its case; `false` where that one no longer takes it in.
    ///
    /// The event's own item comes first, and then the incident is read again. Whoever decides does so the other way round: the
    /// decision first, and then it looks for events that came before it. So one of the two sees the other.
    async fn join(&self, id: &IncidentId, incident: &Incident, shared: Option<&EventId>) -> Result<bool, ClassifyError> {
        let now = self.clock.now();
        let joined = joined_event(incident, now);
        let is_new = self.store.put_joined(id, &joined).await?;
        if !self.store.find(id).await?.is_some_and(|open| open.takes_more(now)) {
            self.store.put_left(id, &JoinedEvent { answered_by: Some(incident.id.clone()), ..joined }).await?;
            return Ok(false);
        }
        self.note_joined(id, incident, shared, is_new).await?;
        Ok(true)
    }

    /// Joins the event to an incident however that stands: another record of the call that opened it, or one more of the calls that
    /// make up a burst. Neither has an effect that the incident would have to undo.
    async fn join_for_good(
        &self,
        id: IncidentId,
        incident: &Incident,
        shared: Option<&EventId>,
    ) -> Result<ClassifyOutput, ClassifyError> {
        let is_new = self.store.put_joined(&id, &joined_event(incident, self.clock.now())).await?;
        self.note_joined(&id, incident, shared, is_new).await?;
        Ok(ClassifyOutput::Merged { incident: id })
    }

    async fn note_joined(
        &self,
        id: &IncidentId,
        incident: &Incident,
        shared: Option<&EventId>,
        is_new: bool,
    ) -> Result<(), ClassifyError> {
        let now = self.clock.now();
        if is_new {
            self.store.count_joined(id, now).await?;
        }
        Ok(self.store.point_claim(&incident.event.id, shared, id, &incident.execution, now).await?)
    }
}

/// Whether every rule that an event broke is one that the incident of the other record of the same call answers.
fn says_no_more(incident: &Incident, other: &Incident) -> bool {
    incident.detections.iter().all(|own| other.detections.iter().any(|detection| detection.rule == own.rule))
}

fn joined_event(incident: &Incident, now: Timestamp) -> JoinedEvent {
    JoinedEvent {
        event: incident.event.id.clone(),
        name: incident.event.name.clone(),
        time: incident.event.time,
        actor: incident.actor.display(),
        source_ip: incident.event.source_ip.clone(),
        execution: incident.execution.clone(),
        had_effect: incident.event.had_effect(),
        joined_at: now,
        answered_by: None,
    }
}
