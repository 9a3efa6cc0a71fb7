//! The records of one file: which are parsed, what each adds to the output and the totals.

use cordon_json_scan::FoundKey;
use serde_json::Value;

use crate::evaluate::{self, Counting, Decoded, Evaluated};
use crate::lazy::FieldFinder;
use crate::ordered::{OrderedOutput, Part};
use crate::prefilter::{Misses, Verdict};
use crate::split::{Flow, RecordSink};
use crate::totals::Totals;
use crate::unreadable::{Fault, Place, Unreadable};
use crate::{Options, Replay};

/// How many faults of a file are reported one by one, beside those that end it.
const MAX_REPORTED_FAULTS: u64 = 20;
/// How much of a file's output is gathered before it is written if the file is the current one, and before its thread waits for that.
const OFFER_BYTES: usize = 64 << 10;
const MAX_GATHERED_BYTES: usize = 1 << 20;

/// Memory that is used for one record after the other.
pub(crate) struct Scratch<'r> {
    pub(crate) misses: Misses,
    pub(crate) finder: FieldFinder<'r>,
    /// The rules that can match the current record.
    pub(crate) candidates: Vec<usize>,
}

/// Evaluates the records of one file.
pub(crate) struct FileReplay<'r, 'o> {
    pub(crate) replay: &'r Replay<'r>,
    pub(crate) options: Options,
    pub(crate) output: &'r OrderedOutput<'o>,
    /// The file's place in the list of inputs.
    pub(crate) number: usize,
    pub(crate) part: Part,
    pub(crate) totals: Totals,
    pub(crate) stop: bool,
    /// Taken out while a record is evaluated.
    pub(crate) scratch: Option<Box<Scratch<'r>>>,
}

impl FileReplay<'_, '_> {
    fn parsed(&mut self, value: Value, place: Place) -> Flow {
        match evaluate::decode(value) {
            Decoded::Neither(reason) => self.unreadable(Some(place), Fault::NoRecord(reason)),
            Decoded::Records(records) => {
                for (record, value) in (place.record..).zip(records) {
                    self.parsed(value, Place { record, ..place })?;
                }
                Flow::Continue(())
            }
            Decoded::Record(envelope) => {
                self.evaluated(evaluate::evaluate_recorded(&envelope, self.replay.book, self.replay.config), place)
            }
            Decoded::Event(envelope) => {
                self.evaluated(evaluate::evaluate(&envelope, self.replay.book, self.replay.config), place)
            }
        }
    }

    fn evaluated(&mut self, evaluated: Evaluated<'_>, place: Place) -> Flow {
        self.totals.events += 1;
        self.totals.policies_unknown += u64::from(evaluated.policy_unknown);
        if let Some(reason) = evaluated.undecidable {
            *self.totals.undecidable.entry(reason).or_default() += 1;
        }
        if let Some(matched) = evaluated.matched {
            self.totals.add_match(&matched);
            if self.options.lines {
                matched.write_line(&mut self.part.line_parts, place.record, &mut self.part.lines);
            }
        }
        match evaluated.counting {
            Counting::Nothing => {}
            Counting::Untimed => self.totals.untimed += 1,
            Counting::Counted(counted) => self.part.count(place.record, *counted),
        }
        self.offer()
    }

    /// Hands the output over if enough was gathered.
    fn offer(&mut self) -> Flow {
        if self.part.weight() >= OFFER_BYTES {
            let wait = self.part.weight() >= MAX_GATHERED_BYTES;
            self.output.offer(self.number, &mut self.part, wait);
            if self.output.stopped() {
                return Flow::Break(());
            }
        }
        Flow::Continue(())
    }

    /// Evaluates a record without parsing it; `None` if it has to be parsed.
    fn unparsed(&mut self, value: &[u8], keys: &[FoundKey], place: Place, scratch: &mut Scratch<'_>) -> Option<Flow> {
        let Replay { prefilter, book, config, .. } = self.replay;
        let Scratch { misses, finder, candidates } = scratch;
        match prefilter.check(value, keys, misses, candidates) {
            Verdict::NoMatch => {
                self.totals.events += 1;
                self.totals.unparsed += 1;
                Some(Flow::Continue(()))
            }
            Verdict::Candidates => {
                let record = finder.find(value)?;
                let evaluated = evaluate::evaluate_lazy(&record, book, config, candidates)?;
                Some(self.evaluated(evaluated, place))
            }
            Verdict::Unknown => None,
        }
    }
}

impl RecordSink for FileReplay<'_, '_> {
    fn value(&mut self, value: &[u8], keys: Option<&[FoundKey]>, place: Place) -> Flow {
        if let Some(keys) = keys.filter(|_| !self.replay.parse_all)
            && let Some(mut scratch) = self.scratch.take()
        {
            let flow = self.unparsed(value, keys, place, &mut scratch);
            self.scratch = Some(scratch);
            if let Some(flow) = flow {
                return flow;
            }
        }
        match serde_json::from_slice(value) {
            Ok(value) => self.parsed(value, place),
            Err(error) => self.unreadable(Some(place), Fault::NotJson(error.to_string())),
        }
    }

    fn unreadable(&mut self, place: Option<Place>, fault: Fault) -> Flow {
        self.totals.add_fault(&fault);
        if self.totals.faults() <= MAX_REPORTED_FAULTS || fault.ends_file() {
            self.part.unreadable.push(Unreadable { file: self.part.file.clone(), place, fault });
        } else {
            self.part.unreported_faults += 1;
        }
        if self.options.strict {
            self.stop = true;
            return Flow::Break(());
        }
        Flow::Continue(())
    }
}
