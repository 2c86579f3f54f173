//! Units as the manager has them.

use std::collections::BTreeMap;

use hostkit_core::kind::Failure;
use zbus::OwnedObjectPath;

use super::failure::Refusal;
use super::link::{Call, Event, hear};
use super::timeouts::LOOK;
use super::{Bus, job, properties, transient};
use crate::systemd::{
    ActiveState, Job, ListedUnit, LoadState, Signal, TransientRun, TransientUnit, UnitChange, UnitChanges,
    UnitName, UnitStatus, Units, Whom,
};

/// Name, description, load, active, sub, followed unit, object, job: number, type, object.
type Listed = (
    String,
    String,
    String,
    String,
    String,
    String,
    OwnedObjectPath,
    u32,
    String,
    OwnedObjectPath,
);

#[async_trait::async_trait]
impl Units for Bus {
    async fn run_job(&self, job: Job, name: &UnitName) -> Result<(), Failure> {
        job::run(&self.link, job, name).await
    }

    async fn signal(&self, name: &UnitName, whom: Whom, signal: Signal) -> Result<(), Failure> {
        // Those that fail where there is nobody to hear it.
        let whom = match whom {
            Whom::Main => "main-fail",
            Whom::All => "all-fail",
        };
        let body = (name.as_str(), whom, signal as i32);
        match self.link.call(Call::manager("KillUnit", &body)).await {
            Ok(_) => Ok(()),
            Err(refusal) => {
                let thing = format!("{} to `{name}`", signal.as_str());
                Err(refusal.into_failure("send", thing))
            }
        }
    }

    async fn reset_failed(&self, name: &UnitName) -> Result<(), Failure> {
        match self
            .link
            .call(Call::manager("ResetFailedUnit", &name.as_str()))
            .await
        {
            Err(refusal) if !refusal.is_no_such_unit() => {
                Err(refusal.into_failure("forget the failure of", format!("`{name}`")))
            }
            _ => Ok(()),
        }
    }

    async fn status(&self, name: &UnitName) -> Result<UnitStatus, Failure> {
        properties::status(&self.link, name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ListedUnit>, Failure> {
        let failed = |refusal: Refusal| refusal.into_failure("list", "units");
        let states: &[&str] = &[];
        let body = (states, &["hostkit*"][..]);
        let answer = self
            .link
            .call(Call::manager("ListUnitsByPatterns", &body))
            .await
            .map_err(failed)?;
        let loaded: Vec<Listed> = answer
            .body()
            .deserialize()
            .map_err(|e| failed(Refusal::from(e)))?;
        let files = self.files(prefix)?;
        let mut found: BTreeMap<UnitName, ListedUnit> = BTreeMap::new();
        for (name, _, load, active, sub, ..) in loaded {
            let name = match UnitName::parse(&name) {
                Ok(name) if name.as_str().starts_with(prefix) => name,
                _ => continue,
            };
            let unit = ListedUnit {
                has_file: files.contains(&name),
                load: Some(LoadState::from_word(&load)),
                active: ActiveState::from_word(&active),
                sub,
                name: name.clone(),
            };
            found.insert(name, unit);
        }
        for name in files {
            found.entry(name.clone()).or_insert(ListedUnit {
                name,
                load: None,
                active: ActiveState::Inactive,
                sub: "dead".to_owned(),
                has_file: true,
            });
        }
        // What others need and nobody has: known by name alone.
        found.retain(|_, unit| unit.has_file || unit.load != Some(LoadState::NotFound) || unit.is_there());
        Ok(found.into_values().collect())
    }

    async fn start_transient(&self, unit: TransientUnit) -> Result<Box<dyn TransientRun>, Failure> {
        transient::start(&self.link, unit).await
    }

    async fn changes(&self, prefix: &str) -> Result<UnitChanges, Failure> {
        let failed = |refusal: Refusal| refusal.into_failure("watch", "units");
        let events = self.link.events();
        self.link.listen().await.map_err(failed)?;
        let state = (self.link.clone(), events, prefix.to_owned());
        let stream = futures_util::stream::unfold(state, |(link, mut events, prefix)| async move {
            loop {
                match hear(&mut events, &link).await {
                    Event::JobEnded(..) => {}
                    Event::Unit(name) => {
                        if let Some(name) = UnitName::parse(&name).ok().filter(|_| name.starts_with(&prefix))
                        {
                            return Some((UnitChange::Unit(name), (link, events, prefix)));
                        }
                    }
                    Event::Unknown => {
                        // Nobody else may call anything that would connect again.
                        while link.listen().await.is_err() {
                            tokio::time::sleep(LOOK).await;
                        }
                        return Some((UnitChange::All, (link, events, prefix)));
                    }
                }
            }
        });
        Ok(Box::pin(stream))
    }
}
