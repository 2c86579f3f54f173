//! The add-on with real servers below real shims: what its trait promises.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hostkit_addons::storage::addon::StorageAddon;
use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonOrder, AddonSettings, Credential};
use hostkit_core::kind::Kind;
use hostkit_core::layout::Layout;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::services::{ServiceName, ServiceRole};
use hostkit_core::size::{ByteSize, Span};
use hostkit_core::storage::BucketRules;
use hostkit_core::storage::lifecycle::LifecycleRule;
use hostkit_core::traits::{Addon, Buckets, Services};
use hostkit_host::roles::SelfProgram;
use hostkit_host::shim::RestartRule;
use hostkit_runtimes::services::ProcessServices;

use crate::house::{sdks, went_well};

/// An installation; its servers end with it.
pub(crate) struct Installation {
    data: tempfile::TempDir,
    pub(crate) addon: Arc<StorageAddon>,
    named: AtomicU32,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let public = Arc::new(|id: &EnvironmentId| format!("http://{}.localhost", id.project));
        let addon = Arc::new(StorageAddon::new(services(&data), public));
        let named = AtomicU32::new(0);
        Installation { data, addon, named }
    }

    /// The name of a project that nobody has in this installation.
    pub(crate) fn unused_name(&self) -> String {
        format!("unused{}", self.named.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn services(&self) -> Arc<dyn Services> {
        services(&self.data)
    }

    /// Runs boto3 as a program of the project does.
    pub(crate) async fn boto3(&self, order: &AddonOrder, script: &str) -> Output {
        let variables: BTreeMap<String, String> = self
            .addon
            .variables(order)
            .iter()
            .map(|(name, value)| (name.to_string(), value.reveal().to_owned()))
            .collect();
        let begin = "import os, boto3\n\
                     e = os.environ\n\
                     client = boto3.client('s3', endpoint_url=e['S3_ENDPOINT'], region_name=e['S3_REGION'],\n\
                         aws_access_key_id=e['S3_ACCESS_KEY_ID'], aws_secret_access_key=e['S3_SECRET_ACCESS_KEY'])\n\
                     bucket = e['S3_BUCKET']\n";
        let mut command = Command::new(sdks().join("python/bin/python"));
        command.args(["-c", &[begin, script].concat()]).envs(variables);
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }
}

fn services(data: &tempfile::TempDir) -> Arc<dyn Services> {
    let own = SelfProgram::at(env!("CARGO_BIN_EXE_addons-role"));
    let rule = RestartRule {
        first: Span(Duration::from_millis(30)),
        longest: Span(Duration::from_millis(250)),
        ..RestartRule::default()
    };
    let layout = Layout::new(data.path().canonicalize().unwrap());
    Arc::new(ProcessServices::new(layout, own).with_restart_rule(rule))
}

/// Also a test that fails leaves nothing running.
impl Drop for Installation {
    fn drop(&mut self) {
        let services = services(&self.data);
        let ended = std::thread::spawn(move || {
            let threads = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            threads.block_on(async {
                for name in services.list(None).await.unwrap() {
                    services.remove(&name).await.unwrap();
                }
            });
        });
        ended.join().unwrap();
    }
}

fn credential(number: u32) -> Credential {
    Credential {
        number,
        secret: Secret::new(format!("{number:0>64}")),
    }
}

/// An order for a project, on a port that was free a moment ago.
pub(crate) fn order(project: &str) -> AddonOrder {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let project = ProjectName::parse(project).unwrap();
    AddonOrder {
        id: AddonId::new(
            EnvironmentId::new(project, EnvironmentName::production()),
            AddonKind::Storage,
        ),
        credentials: vec![credential(1)],
        operator: Secret::new("0".repeat(64)),
        port: Some(listener.local_addr().unwrap().port()),
        settings: AddonSettings::default(),
        made: false,
    }
}

pub(crate) fn name(order: &AddonOrder) -> ServiceName {
    ServiceName {
        environment: Some(order.id.environment.clone()),
        role: ServiceRole::Storage,
    }
}

const PUT: &str = "client.put_object(Bucket=bucket, Key='a', Body=b'a' * 1000)\n";
const GET: &str = "assert client.get_object(Bucket=bucket, Key='a')['Body'].read() == b'a' * 1000\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_there_and_a_second_time_nothing_changes() {
    let (house, order) = (Installation::new(), order("shop"));
    let pid = async || {
        let state = house.services().observe(&name(&order)).await.unwrap();
        state.unwrap().pid
    };
    let before = house.addon.observe(&order).await.unwrap();
    assert!(matches!(before.health, AddonHealth::Down(_)), "{before:?}");
    house.addon.ensure(&order).await.unwrap();
    went_well(&house.boto3(&order, PUT).await);
    let first = pid().await;
    house.addon.ensure(&order).await.unwrap();
    assert_eq!(pid().await, first);
    let state = house.addon.observe(&order).await.unwrap();
    assert_eq!(state.health, AddonHealth::Ready);
    let mut announced = house.addon.variable_names();
    announced.sort();
    let variables = house.addon.variables(&order);
    assert_eq!(announced, variables.keys().cloned().collect::<Vec<_>>());
    // No secret is among the arguments, and the settings are for its account alone.
    let place = house.services().place(&name(&order)).configuration;
    let command = std::fs::read(format!("/proc/{}/cmdline", first.unwrap())).unwrap();
    let settings = std::fs::read_to_string(place.join("settings.json")).unwrap();
    let secret = variables
        .iter()
        .find(|(name, _)| name.as_str() == "S3_SECRET_ACCESS_KEY");
    let secret = secret.unwrap().1.reveal();
    assert!(settings.contains(secret) && !String::from_utf8_lossy(&command).contains(secret));
    house.addon.remove(&order.id).await.unwrap();
    house.addon.remove(&order.id).await.unwrap();
    assert!(!place.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_pairs_of_keys_are_accepted_in_a_rotation_and_one_after_it() {
    let (house, one) = (Installation::new(), order("shop"));
    house.addon.ensure(&one).await.unwrap();
    went_well(&house.boto3(&one, PUT).await);
    let both = AddonOrder {
        credentials: vec![credential(2), credential(1)],
        ..one.clone()
    };
    let two = AddonOrder {
        credentials: vec![credential(2)],
        ..one.clone()
    };
    let refused = house.boto3(&two, GET).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("InvalidAccessKeyId"));
    house.addon.ensure(&both).await.unwrap();
    went_well(&house.boto3(&one, GET).await);
    went_well(&house.boto3(&two, GET).await);
    // What returns is in force: the next request is refused.
    house.addon.ensure(&two).await.unwrap();
    let refused = house.boto3(&one, GET).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("InvalidAccessKeyId"));
    went_well(&house.boto3(&two, GET).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quota_and_rules_are_in_force_at_once_and_reported() {
    let (house, mut order) = (Installation::new(), order("shop"));
    order.settings.quota = Some(ByteSize(1500));
    house.addon.ensure(&order).await.unwrap();
    went_well(&house.boto3(&order, PUT).await);
    let more = "client.put_object(Bucket=bucket, Key='b', Body=b'b' * 1000)\n";
    let refused = house.boto3(&order, more).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("QuotaExceeded"));
    order.settings.quota = None;
    house.addon.ensure(&order).await.unwrap();
    went_well(&house.boto3(&order, more).await);
    let rules = BucketRules {
        lifecycle: vec![LifecycleRule {
            is_enabled: true,
            prefix: "tmp/".into(),
            days: Some(3),
            has_filter: true,
            ..LifecycleRule::default()
        }],
        ..BucketRules::default()
    };
    house.addon.set_rules(&order, &rules).await.unwrap();
    let report = house.addon.report(&order).await.unwrap();
    assert_eq!((report.objects, report.bytes), (2, 2000));
    assert_eq!(report.policy.rules, rules);
    assert_eq!(report.public_url, "http://shop.localhost/_hostkit/storage");
    // A client sees the same by S3.
    let seen = "rule = client.get_bucket_lifecycle_configuration(Bucket=bucket)['Rules'][0]\n\
                assert rule['Expiration'] == {'Days': 3} and rule['Filter'] == {'Prefix': 'tmp/'}, rule\n";
    went_well(&house.boto3(&order, seen).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_objects_are_no_empty_bucket() {
    let (house, order) = (Installation::new(), order("shop"));
    house.addon.ensure(&order).await.unwrap();
    house.services().stop(&name(&order)).await.unwrap();
    let place = house.services().place(&name(&order));
    std::fs::remove_dir_all(&place.data).unwrap();
    let refused = house.addon.ensure(&order).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.message.contains("are gone"), "{refused}");
    assert!(!place.data.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_its_port_is_no_storage() {
    let (house, order) = (Installation::new(), order("shop"));
    let stranger = TcpListener::bind(("127.0.0.1", order.port.unwrap())).unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for connection in stranger.incoming() {
            let mut connection = connection.unwrap();
            drop(connection.read(&mut [0; 1024]));
            drop(connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"));
        }
    });
    let refused = house.addon.ensure(&order).await.unwrap_err();
    assert!(
        refused.message.contains("does not accept its credential"),
        "{refused}"
    );
}
