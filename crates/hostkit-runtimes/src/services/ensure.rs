//! Bringing a service to what it should be: nothing, a word to it, or a new start.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::services::{Ensured, Service, ServicePlace, WhenChanged};
use hostkit_core::traits::Services;
use hostkit_host::files as disk;
use hostkit_host::launch::{Launch, Leads, Priority};
use hostkit_host::shim::ShimSpec;

use super::{LOG_FILE, ProcessServices, hang_up};
use crate::shared::shimmed::NotStarted;
use crate::shared::{off_thread, service_files};

/// There from before a file is changed that a running program must be told of until it was told.
const RELOAD_FILE: &str = "reload";

impl ProcessServices {
    pub(super) async fn bring_about(&self, service: &Service) -> Result<Ensured, Failure> {
        let shimmed = self.shimmed(&service.name);
        let wanted = self.describe(service);
        let difference = self.compare(service).await?;
        let is_same = shimmed.spec().as_ref() == Some(&wanted);
        let is_running = shimmed.is_looked_after(service.stop.grace.0).await;
        if is_running && is_same && difference != Some(WhenChanged::Restart) {
            let pending = shimmed.path.join(RELOAD_FILE);
            if difference == Some(WhenChanged::Reload) {
                disk::replace(&pending, b"", 0o600).map_err(|e| cannot(service, &e))?;
            }
            self.write(service).await?;
            if !pending.exists() {
                return Ok(Ensured::AsItWas);
            }
            // One that ended just now reads its files when it is started again.
            match hang_up(&shimmed) {
                Err(failure) if failure.kind != Kind::NotFound => return Err(failure),
                _ => {}
            }
            disk::remove_tree(&pending).map_err(|e| cannot(service, &e))?;
            return Ok(Ensured::Reloaded);
        }
        // Stopped before its files change: a caller that dies in between leaves a service that is started, not one
        // that runs with what it read before.
        shimmed.stop().await?;
        self.write(service).await?;
        shimmed.describe(&wanted).map_err(|e| cannot(service, &e))?;
        disk::remove_tree(&shimmed.path.join(RELOAD_FILE)).map_err(|e| cannot(service, &e))?;
        match shimmed.start(&self.own, service.stop.grace.0).await {
            Ok(()) => Ok(Ensured::Started),
            Err(NotStarted::Refused(why)) => Err(Failure::new(
                Kind::Failed,
                format!("cannot start service `{}`: {why}", service.name),
            )
            .hint("see that the program is installed: `hostkit doctor`")),
            Err(NotStarted::Broken(why)) => Err(Failure::new(
                Kind::Internal,
                format!("cannot start a shim for service `{}`: {why}", service.name),
            )),
        }
    }

    fn describe(&self, service: &Service) -> ShimSpec {
        ShimSpec {
            id: service.name.to_string(),
            release: None,
            launch: launch(service, &service.arguments, &self.place(&service.name)),
            address: None,
            stop: service.stop.clone(),
            memory: service.memory,
            log: self.layout.service(&service.name).join(LOG_FILE),
            restart: self.restart,
        }
    }

    async fn compare(&self, service: &Service) -> Result<Option<WhenChanged>, Failure> {
        let (service, place) = (service.clone(), self.place(&service.name));
        off_thread(move || service_files::difference(&service, &place).map_err(|e| cannot(&service, &e)))
            .await
    }

    pub(super) async fn write(&self, service: &Service) -> Result<(), Failure> {
        let (service, place) = (service.clone(), self.place(&service.name));
        off_thread(move || service_files::write(&service, &place, None).map_err(|e| cannot(&service, &e)))
            .await
    }
}

pub(crate) fn cannot(service: &Service, why: &std::io::Error) -> Failure {
    Failure::new(
        Kind::Internal,
        format!("cannot write files of service `{}`: {why}", service.name),
    )
}

/// How a program of a service is started. As root, one that refuses to be root is shown another number of its own
/// account: inside a name space of users it is `nobody`, what it writes is root's outside, as all of local mode is. The
/// kernel takes that for a change of account and forgets whose end is to end the program; it is told again.
pub(super) fn launch(service: &Service, arguments: &[String], place: &ServicePlace) -> Launch {
    let disguise = [
        "unshare",
        "--user",
        "--map-user=65534",
        "--map-group=65534",
        "--",
        "setpriv",
        "--pdeathsig",
        "KILL",
        "--",
    ];
    let is_disguised = service.never_root && nix::unistd::geteuid().is_root();
    let mut words = disguise
        .iter()
        .filter(|_| is_disguised)
        .map(|word| (*word).to_owned())
        .chain(arguments.iter().cloned());
    Launch {
        program: words.next().unwrap_or_default(),
        arguments: words.collect(),
        environment: service
            .variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.reveal().to_owned()))
            .collect(),
        directory: place.data.clone(),
        leads: Leads::Group,
        priority: Priority::Normal,
    }
}
