//! Variables. Values leave through [`get`] and [`export`], nowhere else.

use hostkit_api::endpoints::{
    ChangeVariables, ExportVariables, GetVariable, ListVariableChanges, ListVariables,
};
use hostkit_api::variable::{Variable, VariableChange, VariableChanges, VariableValue};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use hostkit_core::variables::{MAX_VALUE_BYTES, RESERVED, dotenv};

use crate::auth::Admitted;

pub(crate) async fn list(call: Admitted<ListVariables>, (): ()) -> Result<Vec<Variable>, Failure> {
    let variables = call.shared().store().variable_names(call.target())?;
    Ok(variables
        .into_iter()
        .map(|variable| Variable {
            name: variable.name,
            updated_at: variable.updated_at,
        })
        .collect())
}

/// Every problem at once, so that an import is mended in one go. Names only: values are secret.
pub(crate) async fn changes(
    call: Admitted<ListVariableChanges>,
    (): (),
) -> Result<Vec<VariableChange>, Failure> {
    let name = call.query().name.as_ref();
    let changes = call.shared().store().variable_changes(call.target(), name)?;
    Ok(changes
        .into_iter()
        .map(|change| VariableChange {
            name: change.name,
            removed: change.removed,
            at: change.at,
            by: change.by,
        })
        .collect())
}

fn check(changes: &VariableChanges) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for (name, value) in &changes.set {
        if RESERVED.contains(&name.as_str()) {
            problems.push(format!("`{name}` is set by HostKit itself"));
        }
        if value.len() > MAX_VALUE_BYTES {
            problems.push(format!(
                "the value of `{name}` is longer than {} KB",
                MAX_VALUE_BYTES >> 10
            ));
        }
        if value.contains('\0') {
            problems.push(format!(
                "the value of `{name}` has a NUL byte, which no environment can carry"
            ));
        }
        if changes.unset.contains(name) {
            problems.push(format!("`{name}` is both set and removed"));
        }
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err(Failure::new(
            Kind::Invalid,
            format!("cannot change variables: {}", problems.remove(0)),
        )),
        n => Err(
            Failure::new(Kind::Invalid, format!("cannot change variables: {n} problems")).details(problems),
        ),
    }
}

pub(crate) async fn change(call: Admitted<ChangeVariables>, changes: VariableChanges) -> Result<(), Failure> {
    check(&changes)?;
    let set = changes
        .set
        .into_iter()
        .map(|(name, value)| (name, Secret::new(value)));
    let unset: Vec<_> = changes.unset.into_iter().collect();
    call.shared()
        .engine
        .set_variables(call.target(), set.collect(), &unset, call.by())
        .await
}

pub(crate) async fn get(call: Admitted<GetVariable>, (): ()) -> Result<VariableValue, Failure> {
    let target = call.target();
    let engine = &call.shared().engine;
    let value = engine.reveal_variable(&target.environment, &target.variable, call.by())?;
    tracing::info!(by = call.by(), environment = %target.environment, variable = %target.variable, "Revealed");
    Ok(VariableValue {
        name: target.variable.clone(),
        value: value.reveal().to_owned(),
    })
}

pub(crate) async fn export(call: Admitted<ExportVariables>, (): ()) -> Result<String, Failure> {
    let variables = call.shared().engine.export_variables(call.target(), call.by())?;
    let plain: Vec<_> = variables
        .into_iter()
        .map(|(name, value)| (name, value.reveal().to_owned()))
        .collect();
    tracing::info!(by = call.by(), environment = %call.target(), "Exported");
    Ok(dotenv::write(&plain))
}
