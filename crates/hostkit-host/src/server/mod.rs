//! `hostkit server setup` and `hostkit server check`: each item is looked at, and brought to what is wanted. A second
//! run finds nothing to do; one that was killed is gone on with by the next. Calls block, for minutes where packages
//! are installed.

mod apply;
mod filter;
mod item;
mod items;
mod journal;
mod looks;
mod swap_file;
mod this_machine;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{
    Change, CheckReport, CheckedItem, Distribution, ItemState, Machine, Progress, SetupItem, SetupOutcome,
    SetupReport, SetupWish,
};

use crate::firewall::Firewall;
use item::{Finding, Item, Site};
use items::ITEMS;

pub use this_machine::ThisMachine;

/// What is set up.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The machine.
    pub machine: &'a dyn Machine,
    /// Its packet filter.
    pub firewall: &'a dyn Firewall,
}

/// Brings every item to what is wanted, or says what would be done. An item that fails stops only those that need it;
/// its failure is in the report. A failure of the whole is one of a machine that cannot be set up at all.
pub fn setup(
    subject: Subject<'_>,
    wish: &SetupWish,
    tell: &mut dyn FnMut(Progress<'_>),
) -> Result<SetupReport, Failure> {
    is_fit(subject.machine)?;
    let mut items: Vec<SetupItem> = Vec::new();
    for &item in ITEMS {
        tell(Progress::Begun(item.name()));
        let broken = items
            .iter()
            .find(|done| item.needs().contains(&done.name) && !done.outcome.is_fine());
        let done = match broken {
            Some(broken) => skipped(item, broken.name),
            None => set_up(subject, wish, item, tell),
        };
        tell(Progress::Ended(&done));
        items.push(done);
    }
    Ok(SetupReport {
        plan: wish.plan,
        changes: items.iter().map(|item| item.changes.len()).sum(),
        items,
        next: Vec::new(),
    })
}

/// Says of every item how it is. Changes nothing.
pub fn check(subject: Subject<'_>, wish: &SetupWish) -> Result<CheckReport, Failure> {
    is_fit(subject.machine)?;
    let items: Vec<CheckedItem> = ITEMS.iter().map(|&item| look_at(subject, wish, item)).collect();
    Ok(CheckReport {
        ok: items.iter().all(|item| item.state.is_fine()),
        items,
    })
}

fn is_fit(machine: &dyn Machine) -> Result<(), Failure> {
    Distribution::parse(&machine.read("/etc/os-release")?.unwrap_or_default())?;
    if machine.look("/run/systemd/system")?.is_none() {
        return Err(Failure::new(
            Kind::Invalid,
            "cannot set up this machine: systemd does not run it",
        )
        .hint("`hostkit up` runs HostKit without systemd"));
    }
    Ok(())
}

fn observed(subject: Subject<'_>, wish: &SetupWish, item: &dyn Item) -> Result<(bool, Finding), Failure> {
    let unfinished = journal::is_unfinished(subject.machine, item.name())?;
    let mut finding = item.plan(&site(subject, wish, unfinished))?;
    if unfinished {
        finding.find("an earlier run ended in the middle of it");
    }
    Ok((unfinished, finding))
}

fn site<'a>(subject: Subject<'a>, wish: &'a SetupWish, unfinished: bool) -> Site<'a> {
    Site {
        machine: subject.machine,
        firewall: subject.firewall,
        wish,
        unfinished,
    }
}

fn look_at(subject: Subject<'_>, wish: &SetupWish, item: &dyn Item) -> CheckedItem {
    const FIX: &str = "hostkit server setup";
    let mut checked = CheckedItem {
        name: item.name(),
        title: item.title(),
        why: item.why(),
        state: ItemState::Ok,
        findings: Vec::new(),
        notes: Vec::new(),
        fix: None,
    };
    match observed(subject, wish, item) {
        Err(failure) => {
            checked.state = ItemState::Drift;
            checked.findings = std::iter::once(failure.message).chain(failure.details).collect();
            checked.fix = Some(failure.hint.unwrap_or_else(|| FIX.to_owned()));
        }
        Ok((unfinished, finding)) => {
            checked.notes = finding.notes;
            checked.findings = finding.findings;
            if let Some(why) = finding.not_applicable {
                checked.state = ItemState::NotApplicable;
                checked.notes.push(why);
            } else if let Some(refused) = finding.refused {
                checked.state = ItemState::Drift;
                checked.findings.push(refused.message);
                checked.findings.extend(refused.details);
                checked.fix = Some(refused.hint.unwrap_or_else(|| FIX.to_owned()));
            } else if unfinished || !finding.changes.is_empty() {
                checked.state = if finding.missing {
                    ItemState::Missing
                } else {
                    ItemState::Drift
                };
                checked.fix = Some(FIX.to_owned());
            }
        }
    }
    checked
}

fn set_up(
    subject: Subject<'_>,
    wish: &SetupWish,
    item: &dyn Item,
    tell: &mut dyn FnMut(Progress<'_>),
) -> SetupItem {
    let mut done = begun(item);
    let (unfinished, finding) = match observed(subject, wish, item) {
        Ok(observed) => observed,
        Err(failure) => {
            done.outcome = SetupOutcome::Failed;
            done.failure = Some(failure);
            return done;
        }
    };
    done.notes = finding.notes;
    if let Some(why) = finding.not_applicable {
        done.outcome = SetupOutcome::NotApplicable;
        done.notes.push(why);
        return done;
    }
    let nothing_to_do = finding.changes.is_empty();
    if wish.plan || nothing_to_do {
        done.changes = finding.changes.iter().map(Into::into).collect();
        done.outcome = match (&finding.refused, nothing_to_do) {
            (Some(_), _) => SetupOutcome::Refused,
            (None, true) => SetupOutcome::Unchanged,
            (None, false) => SetupOutcome::Planned,
        };
        done.failure = finding.refused;
        if !wish.plan && unfinished && done.failure.is_none() {
            // The earlier run was killed after its last act and before it could say so.
            if let Err(failure) = journal::end(subject.machine, item.name()) {
                done.outcome = SetupOutcome::Failed;
                done.failure = Some(failure);
            }
        }
        return done;
    }
    match bring_about(&site(subject, wish, unfinished), item, &finding.changes, tell) {
        Ok(()) => {
            done.changes = finding.changes.iter().map(Into::into).collect();
            done.outcome = SetupOutcome::Changed;
            if let Some(refused) = finding.refused {
                done.outcome = SetupOutcome::Refused;
                done.failure = Some(refused);
            }
        }
        Err(failure) => {
            done.outcome = SetupOutcome::Failed;
            done.failure = Some(failure);
        }
    }
    done
}

fn begun(item: &dyn Item) -> SetupItem {
    SetupItem {
        name: item.name(),
        title: item.title(),
        outcome: SetupOutcome::Unchanged,
        changes: Vec::new(),
        notes: Vec::new(),
        failure: None,
    }
}

fn skipped(item: &dyn Item, broken: &str) -> SetupItem {
    let mut done = begun(item);
    done.outcome = SetupOutcome::Skipped;
    done.failure = Some(
        Failure::new(
            Kind::Failed,
            format!("cannot set up `{}`: it needs `{broken}`", item.name()),
        )
        .hint(format!("mend `{broken}`, then `hostkit server setup` again")),
    );
    done
}

/// Makes the changes of an item. Where that fails, its files are put back as they were and programs take them over.
fn bring_about(
    site: &Site<'_>,
    item: &dyn Item,
    changes: &[Change],
    tell: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Failure> {
    let machine = site.machine;
    journal::begin(machine, item.name(), changes)?;
    let mut made = Vec::new();
    let result = (|| {
        item.try_out(site, changes)?;
        // Files first: nothing takes them over before they were looked at where they lie.
        let is_file = |change: &&Change| matches!(change, Change::Write { .. } | Change::Folder { .. });
        for change in changes.iter().filter(is_file) {
            tell(Progress::Changing(item.name(), change));
            made.push(change);
            apply::apply(site, change)?;
        }
        if !made.is_empty() || site.unfinished {
            item.prove(site)?;
        }
        for change in changes.iter().filter(|change| !is_file(change)) {
            tell(Progress::Changing(item.name(), change));
            made.push(change);
            apply::apply(site, change)?;
        }
        let finished = Site {
            unfinished: false,
            ..*site
        };
        let rest = item.plan(&finished)?;
        match rest.changes.first() {
            None => Ok(()),
            Some(change) => Err(Failure::new(
                Kind::Failed,
                format!(
                    "cannot set up `{}`: it has no effect to {}",
                    item.name(),
                    change.summary()
                ),
            )
            .details(rest.findings)),
        }
    })();
    let Err(mut failure) = result else {
        return journal::end(machine, item.name());
    };
    if let Err(second) = undo(site, item, &made) {
        failure
            .details
            .push(format!("and it could not be undone: {second}"));
    }
    Err(failure)
}

fn undo(site: &Site<'_>, item: &dyn Item, made: &[&Change]) -> Result<(), Failure> {
    for change in made.iter().rev() {
        apply::take_back(site, change);
    }
    if journal::put_back(site.machine, item.name())? {
        // What fails here failed before us; the word of what went wrong first is the one to tell.
        let _ = item.settle(site);
    }
    journal::end(site.machine, item.name())
}
