//! Bringing a service to what it should be: nothing, a word to it, or a new start.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::LogStream;
use hostkit_core::secret::Secret;
use hostkit_core::services::{Ensured, Service, WhenChanged};
use hostkit_core::traits::Services;
use hostkit_host::accounts::Account;
use hostkit_host::files;
use hostkit_host::launch_role::LaunchSpec;
use hostkit_host::log_file::{Form, Want, read_back};
use hostkit_host::systemd::environment_file;
use hostkit_host::systemd::unit_file::UnitFile;
use jiff::Timestamp;

use super::folder::ServiceFolder;
use super::{SystemdServices, unit};
use crate::services::ensure::cannot;
use crate::shared::{off_thread, service_files};
use crate::systemd::observe::is_alive;

/// All that a program is started with, as it lies on the disk.
struct Described {
    unit: UnitFile,
    unit_text: String,
    spec: Vec<u8>,
    variables: Secret,
}

impl SystemdServices {
    pub(super) async fn bring_about(&self, service: &Service) -> Result<Ensured, Failure> {
        let name = &service.name;
        let (account, _) = self.accounts.ensure_service(name).await?;
        let described = self.describe(service)?;
        let is_same = self.holds(service, &described).await?;
        let difference = self.compare(service).await?;
        let is_kept_running = self.is_kept_running(service).await?;
        if is_kept_running && is_same && difference != Some(WhenChanged::Restart) {
            self.mend(service, &described).await?;
            return self.tell(service, account, difference).await;
        }
        // Stopped before its files change: a caller that dies in between leaves a service that is started, not one
        // that runs with what it read before.
        self.end(name).await?;
        self.write(service, account).await?;
        self.note(service, &described).await?;
        let unit = unit::name_of(name)?;
        self.systemd.ensure_file(&unit, &described.unit).await?;
        self.systemd.enable(&unit).await?;
        // Also where the file was written before: whoever did it may have died before the manager read it.
        self.systemd.reload().await?;
        self.start(service).await?;
        Ok(Ensured::Started)
    }

    fn describe(&self, service: &Service) -> Result<Described, Failure> {
        let folder = self.folder(&service.name);
        let mut words = service.arguments.iter().cloned();
        let spec = LaunchSpec {
            id: service.name.to_string(),
            release: None,
            program: words.next().unwrap_or_default(),
            arguments: words.collect(),
            variables: service.variables.keys().map(ToString::to_string).collect(),
            directory: folder.place().data,
            address: None,
            stop: service.stop.clone(),
            memory: service.memory,
            restart: self.settings.restart,
            output_log: folder.log_file(),
            error_log: folder.log_file(),
            state: folder.state.clone(),
            asked: folder.asked.clone(),
        };
        let unit = unit::file(service, &folder, &self.settings)?;
        Ok(Described {
            unit_text: unit.render()?,
            unit,
            spec: serde_json::to_vec(&spec).map_err(|e| cannot(service, &e.into()))?,
            variables: environment_file::render(&service.variables)?,
        })
    }

    /// Whether it was last started with exactly this.
    async fn holds(&self, service: &Service, described: &Described) -> Result<bool, Failure> {
        let folder = self.folder(&service.name);
        let wanted = [
            (folder.spec_file(), described.spec.clone()),
            (
                folder.variables_file(),
                described.variables.reveal().as_bytes().to_vec(),
            ),
            (folder.unit_file(), described.unit_text.clone().into_bytes()),
        ];
        off_thread(move || {
            let is_there =
                |(path, text): &(_, Vec<u8>)| std::fs::read(path).is_ok_and(|there| there == *text);
            Ok(wanted.iter().all(is_there))
        })
        .await
    }

    /// Whether systemd means to go on with it. One whose end somebody asked for who did not live to see it is not.
    async fn is_kept_running(&self, service: &Service) -> Result<bool, Failure> {
        let status = self.systemd.status(&unit::name_of(&service.name)?).await?;
        Ok(is_alive(&status) && !self.folder(&service.name).asked.exists())
    }

    async fn compare(&self, service: &Service) -> Result<Option<WhenChanged>, Failure> {
        let (service, place) = (service.clone(), self.place(&service.name));
        off_thread(move || service_files::difference(&service, &place).map_err(|e| cannot(&service, &e)))
            .await
    }

    pub(super) async fn write(&self, service: &Service, account: Account) -> Result<(), Failure> {
        let (service, folder) = (service.clone(), self.folder(&service.name));
        off_thread(move || folder.write(&service, account).map_err(|e| cannot(&service, &e))).await
    }

    /// Writes what it is started with.
    async fn note(&self, service: &Service, described: &Described) -> Result<(), Failure> {
        let (service, folder) = (service.clone(), self.folder(&service.name));
        let (spec, unit_text) = (described.spec.clone(), described.unit_text.clone());
        off_thread(move || {
            environment_file::ensure(&folder.variables_file(), &service.variables)?;
            let written = files::write_atomic(&folder.spec_file(), &spec, 0o600)
                .and_then(|()| files::write_atomic(&folder.unit_file(), unit_text.as_bytes(), 0o600))
                .and_then(|()| files::remove_tree(&folder.reload_file()));
            written.map_err(|e| cannot(&service, &e))
        })
        .await
    }

    /// Puts back what somebody else changed at the unit of a program that runs as it should.
    async fn mend(&self, service: &Service, described: &Described) -> Result<(), Failure> {
        let unit = unit::name_of(&service.name)?;
        if self.systemd.ensure_file(&unit, &described.unit).await? {
            self.systemd.reload().await?;
        }
        self.systemd.enable(&unit).await.map(drop)
    }

    /// Writes its files, and tells it of them where they ask for it.
    async fn tell(
        &self,
        service: &Service,
        account: Account,
        difference: Option<WhenChanged>,
    ) -> Result<Ensured, Failure> {
        let pending = self.folder(&service.name).reload_file();
        if difference == Some(WhenChanged::Reload) {
            files::replace(&pending, b"", 0o600).map_err(|e| cannot(service, &e))?;
        }
        self.write(service, account).await?;
        if !pending.exists() {
            return Ok(Ensured::AsItWas);
        }
        // One that ended just now reads its files when it is started again.
        match self.hang_up(&service.name).await {
            Err(failure) if failure.kind != Kind::NotFound => return Err(failure),
            _ => {}
        }
        files::remove_tree(&pending).map_err(|e| cannot(service, &e))?;
        Ok(Ensured::Reloaded)
    }

    /// Starts the unit. Where the program cannot be started, systemd does not go on trying.
    async fn start(&self, service: &Service) -> Result<(), Failure> {
        let name = &service.name;
        let begun = Timestamp::now();
        let Err(failure) = self.systemd.start(&unit::name_of(name)?).await else {
            return Ok(());
        };
        let why = why_not_started(self.folder(name), begun).await;
        self.end(name).await?;
        let Some(why) = why else {
            return Err(failure);
        };
        Err(
            Failure::new(Kind::Failed, format!("cannot start service `{name}`: {why}"))
                .hint("see that the program is installed: `hostkit server check`"),
        )
    }
}

/// What `launch` said about it.
async fn why_not_started(folder: ServiceFolder, begun: Timestamp) -> Option<String> {
    let want = Want {
        since: Some(begun),
        form: Form::Shared,
        ..Want::default()
    };
    let read = off_thread(move || Ok(read_back(&folder.log_file(), &want).map(|(lines, _)| lines)));
    let lines = read.await.ok()?.ok()?;
    lines
        .into_iter()
        .filter(|line| line.stream == LogStream::Hostkit)
        .find_map(|line| {
            let about = line.text.strip_prefix("cannot start ")?;
            Some(about.to_owned())
        })
}
