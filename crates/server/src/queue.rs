//! Questions that wait: bounded, and fair between clients (each in turn, one question at a time).

use crate::worker::Job;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The queue.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct Inner {
    /// Clients in the order of their next turn, each with its questions.
    clients: VecDeque<(String, VecDeque<Job>)>,
    /// Of the question at work.
    working: Option<(u64, Arc<AtomicBool>)>,
    closed: bool,
}

/// Why a question was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { inner: Mutex::default(), changed: Condvar::new(), capacity }
    }

    /// A panic of another thread leaves the lists whole: nothing here is changed in two steps.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a question.
    pub(crate) fn push(&self, job: Job) -> Result<(), Refused> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        if inner.waiting() >= self.capacity {
            return Err(Refused::Full);
        }
        match inner.clients.iter_mut().find(|(client, _)| *client == job.client) {
            Some((_, jobs)) => jobs.push_back(job),
            None => inner.clients.push_back((job.client.clone(), VecDeque::from([job]))),
        }
        inner.tell_places();
        self.changed.notify_one();
        Ok(())
    }

    /// The next question; waits for one. None when the queue is closed.
    pub(crate) fn pop(&self) -> Option<Job> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return None;
            }
            if let Some(job) = inner.take() {
                inner.working = Some((job.id, Arc::clone(&job.cancelled)));
                inner.tell_places();
                return Some(job);
            }
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The question at work is done.
    pub(crate) fn done(&self) {
        self.lock().working = None;
    }

    /// Takes a question out, or stops it where it is at work: nobody waits for its answer.
    pub(crate) fn cancel(&self, id: u64) {
        let mut inner = self.lock();
        if let Some((_, cancelled)) = inner.working.as_ref().filter(|(working, _)| *working == id) {
            cancelled.store(true, Ordering::Relaxed);
        }
        for (_, jobs) in &mut inner.clients {
            jobs.retain(|job| job.id != id);
        }
        inner.clients.retain(|(_, jobs)| !jobs.is_empty());
        inner.tell_places();
    }

    /// Takes no more questions, and drops those that wait.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.clients.clear();
        self.changed.notify_all();
    }

    /// Stops the question at work.
    pub(crate) fn cancel_all(&self) {
        if let Some((_, cancelled)) = &self.lock().working {
            cancelled.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Questions that wait, and whether one is at work.
    pub(crate) fn load(&self) -> (usize, bool) {
        let inner = self.lock();
        (inner.waiting(), inner.working.is_some())
    }
}

impl Inner {
    fn waiting(&self) -> usize {
        self.clients.iter().map(|(_, jobs)| jobs.len()).sum()
    }

    /// The first question of the client whose turn it is, who then stands last.
    fn take(&mut self) -> Option<Job> {
        let (client, mut jobs) = self.clients.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.clients.push_back((client, jobs));
        }
        job
    }

    /// Tells every question its place: 1 is next.
    fn tell_places(&self) {
        let total = self.waiting();
        let longest = self.clients.iter().map(|(_, jobs)| jobs.len()).max().unwrap_or(0);
        let rounds =
            (0..longest).flat_map(|round| self.clients.iter().filter_map(move |(_, jobs)| jobs.get(round)));
        for (place, job) in rounds.enumerate() {
            job.tell_place(place + 1, total);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn push(queue: &Queue, client: &str, id: u64) -> Result<(), Refused> {
        queue.push(Job::for_tests(client, id))
    }

    fn next(queue: &Queue) -> u64 {
        queue.pop().unwrap().id
    }

    #[test]
    fn clients_take_turns_whoever_asks_more() {
        let queue = Queue::new(10);
        for id in [1, 2, 3] {
            push(&queue, "many", id).unwrap();
        }
        push(&queue, "one", 4).unwrap();
        assert_eq!([next(&queue), next(&queue), next(&queue), next(&queue)], [1, 4, 2, 3]);
    }

    #[test]
    fn a_full_queue_refuses_and_a_cancelled_question_frees_its_place() {
        let queue = Queue::new(2);
        push(&queue, "a", 1).unwrap();
        push(&queue, "b", 2).unwrap();
        assert_eq!(push(&queue, "c", 3), Err(Refused::Full));
        queue.cancel(1);
        push(&queue, "c", 3).unwrap();
        assert_eq!([next(&queue), next(&queue)], [2, 3]);
    }

    #[test]
    fn cancelling_the_question_at_work_stops_it_and_no_other() {
        let queue = Queue::new(2);
        push(&queue, "a", 1).unwrap();
        let job = queue.pop().unwrap();
        queue.cancel(2);
        assert!(!job.cancelled.load(Ordering::Relaxed));
        queue.cancel(1);
        assert!(job.cancelled.load(Ordering::Relaxed));
    }

    #[test]
    fn a_closed_queue_ends_its_worker_and_refuses() {
        let queue = Arc::new(Queue::new(2));
        let worker = Arc::clone(&queue);
        let waiting = std::thread::spawn(move || worker.pop().is_none());
        queue.close();
        assert!(waiting.join().unwrap());
        assert_eq!(push(&queue, "a", 1), Err(Refused::Closed));
    }
}
