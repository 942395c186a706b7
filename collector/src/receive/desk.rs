//! What every receiver does with records that it found: read, hand over, count, set aside.

use std::sync::Arc;

use bytes::Bytes;

use super::aside::Aside;
use super::counts::{Counts, Fate};
use super::intake::{Intake, Trouble};
use super::line::{self, Reason};
use super::otlp::Found;

/// One receiver's way to the store.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) intake: Arc<Intake>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) aside: Arc<Aside>,
}

/// What a sender is told of records that were stored, or never will be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Receipt {
    /// Records that were refused for good.
    pub(crate) refused: u64,
    /// Why the first of each reason was.
    pub(crate) why: String,
}

impl Desk {
    /// Stores what can be stored.
    ///
    /// # Errors
    /// Nothing was stored; the same records are to come again.
    pub(crate) async fn store(&self, found: Found) -> Result<Receipt, Trouble> {
        let (mut arrivals, mut wrong) = (Vec::with_capacity(found.records.len()), Vec::new());
        for json in found.records {
            match line::arrival(json.clone()) {
                Ok(arrival) => arrivals.push(arrival),
                Err(reason) => wrong.push((reason, json, None)),
            }
        }
        // Bytes are shared: a copy of the list is cheap.
        let lines: Vec<Bytes> = arrivals.iter().map(|arrival| arrival.json.clone()).collect();
        let committed = match arrivals.is_empty() {
            true => Ok(Vec::new()),
            false => self.intake.commit(arrivals).await,
        };
        match committed {
            Ok(refused) => {
                let by_store = refused.into_iter().filter_map(|(place, why)| {
                    Some((Reason::Store, lines.get(place)?.clone(), Some(why)))
                });
                wrong.extend(by_store);
                self.counts.request(Fate::Taken);
                Ok(self.receipt(found.foreign, &wrong))
            }
            Err(trouble) => {
                self.counts.request(match &trouble {
                    Trouble::Busy => Fate::Busy,
                    Trouble::Store(_) => Fate::Unstored,
                });
                self.counts.trouble(trouble.text());
                Err(trouble)
            }
        }
    }

    /// Counts, keeps aside and words what is refused: once, since it does not come again.
    fn receipt(&self, foreign: u64, wrong: &[(Reason, Bytes, Option<String>)]) -> Receipt {
        let mut receipt = Receipt::default();
        self.refuse(&mut receipt, Reason::Foreign, foreign, None);
        for (reason, json, why) in wrong {
            // Whoever sees it counted finds it kept.
            self.aside.keep(*reason, json);
            self.refuse(&mut receipt, *reason, 1, why.as_deref());
        }
        receipt
    }

    /// Counts and words what is refused.
    fn refuse(&self, receipt: &mut Receipt, reason: Reason, count: u64, why: Option<&str>) {
        if count == 0 {
            return;
        }
        self.counts.refused(reason, count);
        receipt.refused += count;
        let text = why.unwrap_or(reason.text());
        if receipt.why.len() < WHY_LEN_MAX && !receipt.why.contains(text) {
            if !receipt.why.is_empty() {
                receipt.why.push_str("; ");
            }
            receipt.why.extend(text.chars().take(WHY_LEN_MAX));
        }
    }
}

impl Trouble {
    /// In words, for whoever runs the collector.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Busy => BUSY,
            Self::Store(why) => why,
        }
    }

    /// In words, for whoever sent: where and how records are kept is not for every sender to know.
    pub(crate) const fn text_for_sender(&self) -> &'static str {
        match self {
            Self::Busy => BUSY,
            Self::Store(_) => "the store cannot take records now",
        }
    }
}

const BUSY: &str = "too many requests wait for the store";
/// Characters of an answer, about.
const WHY_LEN_MAX: usize = 500;
