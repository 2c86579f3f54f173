//! How the task of a backend connection is woken. hyper wakes it whenever a piece of an answer's body was taken, also
//! after the last one, when there is nothing left for it to do: for a short answer that is a poll for nothing with
//! every request. A [`Bell`] stands between and keeps quiet then.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

/// The waker a connection's task is polled with.
#[derive(Default)]
pub(crate) struct Bell {
    /// The real one. A task keeps it for life.
    task: OnceLock<Waker>,
    /// Calls are noted, not passed on.
    muffled: AtomicBool,
    called: AtomicBool,
}

impl Bell {
    /// Runs `connection` to its end, woken through this bell.
    pub(crate) async fn drive(self: Arc<Self>, connection: impl Future) {
        let waker = Waker::from(Arc::clone(&self));
        let mut connection = pin!(connection);
        poll_fn(|context| {
            self.task.get_or_init(|| context.waker().clone());
            connection
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .map(drop)
        })
        .await;
    }

    /// Takes a piece of the connection's current answer with `take`. The task is woken by that only if `is_over` then
    /// says that more is to come.
    pub(crate) fn muffle<B, T>(
        self: &Arc<Self>,
        body: &mut B,
        take: impl FnOnce(&mut B) -> Poll<T>,
        is_over: impl FnOnce(&B) -> bool,
    ) -> Poll<T> {
        self.muffled.store(true, Ordering::Relaxed);
        let taken = take(body);
        self.muffled.store(false, Ordering::Relaxed);
        // Only this thread polls the body and drives the connection: nothing can call between these two lines.
        if self.called.load(Ordering::Relaxed) {
            self.called.store(false, Ordering::Relaxed);
            if !is_over(body) {
                self.wake_by_ref();
            }
        }
        taken
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.muffled.load(Ordering::Relaxed) {
            self.called.store(true, Ordering::Relaxed);
        } else if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_muffled_call_is_lost_only_when_nothing_more_is_to_come() {
        let (count, bell) = (Arc::new(Count::default()), Arc::new(Bell::default()));
        let inner = Waker::from(Arc::clone(&count));
        let mut driving = pin!(Arc::clone(&bell).drive(std::future::pending::<()>()));
        assert!(
            driving
                .as_mut()
                .poll(&mut Context::from_waker(&inner))
                .is_pending()
        );
        let ring = |over: bool| {
            let taken = bell.muffle(
                &mut (),
                |()| {
                    bell.wake_by_ref();
                    Poll::Ready(())
                },
                |()| over,
            );
            assert!(taken.is_ready());
            count.0.load(Ordering::Relaxed)
        };
        assert_eq!(ring(true), 0);
        assert_eq!(ring(false), 1);
        assert_eq!(ring(true), 1);
        bell.wake_by_ref();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }
}
