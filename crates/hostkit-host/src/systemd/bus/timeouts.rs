//! How long systemd and the bus are waited for, each with its reason.

use std::time::Duration;

/// To connect to the bus. It answers at once or is not there.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// For the answer to a call. The manager does one thing at a time: it is silent for seconds while it reads all unit
/// files of a large machine, or while the machine starts.
pub(super) const CALL: Duration = Duration::from_secs(60);

/// For a reload, which may read thousands of files and runs every generator, on a slow disk.
pub(super) const RELOAD: Duration = Duration::from_secs(180);

/// How long a manager or a bus that went away may take to come back. One that starts itself afresh takes a second or two,
/// an upgrade of the bus the same; more than this is a machine with a problem.
pub(super) const COME_BACK: Duration = Duration::from_secs(30);

/// Between two attempts to reach it meanwhile.
pub(super) const COME_BACK_PAUSE: Duration = Duration::from_millis(200);

/// For the end of a job. Systemd ends jobs itself (`TimeoutStartSec`, `TimeoutStopSec`, grace of an hour at most), so this
/// is for one whose end was lost twice.
pub(super) const JOB: Duration = Duration::from_secs(2 * 60 * 60);

/// How often to ask for a job or a unit that is waited for, in case the word of its end was lost (the manager started
/// itself afresh, the bus was restarted).
pub(super) const LOOK: Duration = Duration::from_secs(2);
