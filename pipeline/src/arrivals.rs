//! The order in which windows of several workers are told.

use std::time::Instant;

use crossbeam_channel::Select;

use crate::error::Error;
use crate::outbox::Inbox;
use crate::window::Window;

/// Takes windows out of the inboxes of all workers.
///
/// Live workers are told as they come. Workers that share captures are not: one may be far ahead in
/// packet time, and what connections tell together would depend on which core was busy. Theirs wait
/// until every worker has brought one, and those that end earliest in the captures come first, all
/// that end at one place together.
#[derive(Debug)]
pub(crate) struct Arrivals {
    /// What each worker has brought, if the order counts.
    waiting: Option<Vec<Option<Box<Window>>>>,
}

impl Arrivals {
    /// For so many workers; `in_order` if they share captures.
    pub(crate) fn new(workers: usize, in_order: bool) -> Self {
        Self { waiting: in_order.then(|| (0..workers).map(|_| None).collect()) }
    }

    /// The next windows and their workers, or nothing until `deadline`; `open` are the workers that
    /// have not given their last yet.
    ///
    /// # Errors
    /// A worker vanished.
    pub(crate) fn next(
        &mut self,
        inboxes: &[Inbox],
        open: &[bool],
        deadline: Instant,
    ) -> Result<Vec<(usize, Box<Window>)>, Error> {
        loop {
            let waiting = self.waiting.as_deref();
            let is_awaited =
                |worker: &usize| open[*worker] && waiting.is_none_or(|all| all[*worker].is_none());
            let awaited: Vec<usize> = (0..inboxes.len()).filter(is_awaited).collect();
            if awaited.is_empty() {
                return Ok(self.earliest());
            }
            let Some((worker, window)) = receive(inboxes, &awaited, deadline)? else {
                return Ok(Vec::new());
            };
            match &mut self.waiting {
                None => return Ok(vec![(worker, window)]),
                Some(waiting) => waiting[worker] = Some(window),
            }
        }
    }

    fn earliest(&mut self) -> Vec<(usize, Box<Window>)> {
        let waiting = self.waiting.as_deref_mut().unwrap_or_default();
        let end = waiting.iter().flatten().map(|window| window.walked).min();
        let at_the_end = waiting.iter_mut().enumerate().filter_map(|(worker, window)| {
            let window = window.take_if(|window| Some(window.walked) == end)?;
            Some((worker, window))
        });
        at_the_end.collect()
    }
}

/// The next window of any of these workers.
fn receive(
    inboxes: &[Inbox],
    workers: &[usize],
    deadline: Instant,
) -> Result<Option<(usize, Box<Window>)>, Error> {
    let mut select = Select::new();
    for &worker in workers {
        select.recv(&inboxes[worker].full);
    }
    let Ok(operation) = select.select_deadline(deadline) else { return Ok(None) };
    let worker = workers[operation.index()];
    match operation.recv(&inboxes[worker].full) {
        Ok(window) => Ok(Some((worker, window))),
        Err(_) => Err(Error::WorkerGone { worker }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use flowtable::TableCounts;

    use super::*;
    use crate::outbox::{Outbox, Patience, Telling, exchange};

    /// Ends of `workers` exchanges, and where each worker says how far it is.
    fn crew(workers: usize) -> (Vec<(Outbox, Arc<AtomicU64>)>, Vec<Inbox>) {
        let telling = Telling { provisional: false, notes: false, minutes: false, evidence: false };
        (0..workers)
            .map(|_| {
                let (mut outbox, inbox) = exchange(1, Patience::Wait, telling);
                let walked: Arc<AtomicU64> = Arc::default();
                outbox.follow(Arc::clone(&walked));
                ((outbox, walked), inbox)
            })
            .unzip()
    }

    fn hand_over((outbox, walked): &mut (Outbox, Arc<AtomicU64>), end: u64) {
        walked.store(end, Ordering::Relaxed);
        outbox.window().counts.frames = 1;
        outbox.hand_over(TableCounts::default());
    }

    #[test]
    fn windows_of_shared_captures_come_in_the_order_of_the_captures() {
        let (mut outboxes, inboxes) = crew(2);
        let mut arrivals = Arrivals::new(2, true);
        let mut open = [true, true];
        let mut next = |open: &[bool; 2]| {
            let deadline = Instant::now() + Duration::from_millis(1);
            let next = arrivals.next(&inboxes, open, deadline).unwrap();
            let ends = next.into_iter().map(|(worker, mut window)| {
                let end = window.walked;
                window.clear();
                let _ = inboxes[worker].empty.send(window);
                (worker, end)
            });
            ends.collect::<Vec<_>>()
        };
        hand_over(&mut outboxes[0], 640);
        assert_eq!(next(&open), [], "the other worker may be behind");
        hand_over(&mut outboxes[1], 64);
        assert_eq!(next(&open), [(1, 64)]);
        assert_eq!(next(&open), []);
        let (last, walked) = outboxes.pop().unwrap();
        walked.store(1_000, Ordering::Relaxed);
        last.close(TableCounts::default());
        assert_eq!(next(&open), [(0, 640)]);
        assert_eq!(next(&open), [], "the first is not at its end");
        hand_over(&mut outboxes[0], 1_000);
        assert_eq!(next(&open), [(0, 1_000), (1, 1_000)]);
        open[1] = false;
        hand_over(&mut outboxes[0], 1_280);
        assert_eq!(next(&open), [(0, 1_280)]);
    }

    #[test]
    fn windows_of_live_workers_come_at_once() {
        let (mut outboxes, inboxes) = crew(2);
        hand_over(&mut outboxes[1], 64);
        let next = Arrivals::new(2, false).next(&inboxes, &[true; 2], Instant::now()).unwrap();
        assert_eq!(next.iter().map(|(worker, _)| *worker).collect::<Vec<_>>(), [1]);
    }
}
