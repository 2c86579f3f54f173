//! Servers elsewhere, by their URL. One of our own, told to encrypt, stands for them.

use hostkit_addons::postgres::{extensions, outside, stats};
use hostkit_core::kind::Kind;
use hostkit_core::reach::Reach;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Addon;

use crate::house::{House, credential, order, until};

#[tokio::test]
async fn a_server_elsewhere_proves_who_it_is_and_is_told_of() {
    let house = House::start(&std::env::temp_dir()).await;
    house.addon.ensure(&order("away", &[1])).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let session = house.access().connect("hostkit").await.unwrap();
    for (name, value) in [
        ("ssl_cert_file", certificate.to_str().unwrap()),
        ("ssl_key_file", key.to_str().unwrap()),
        ("ssl", "on"),
    ] {
        session
            .run("encrypt", &format!("ALTER SYSTEM SET {name} = '{value}'"))
            .await
            .unwrap();
    }
    session
        .rows("encrypt", "SELECT pg_reload_conf()", &[])
        .await
        .unwrap();
    let url = |parameters: &str| {
        let password = credential(1).secret;
        Secret::new(format!(
            "postgresql://away_db.1:{}@127.0.0.1:{}/away_db{parameters}",
            password.reveal(),
            house.port
        ))
    };
    let proven = format!("?sslmode=verify-full&sslrootcert={}", certificate.display());
    let (access, database) = outside::parse(&url(&proven), Reach::All).unwrap();
    until("it encrypts", async || outside::look(&access).await.is_ok()).await;
    let seen = outside::look(&access).await.unwrap();
    assert!(seen.version.starts_with("15") && !seen.is_superuser && seen.may_create && !seen.counts_queries);
    let inside = access.connect(&database).await.unwrap();
    inside
        .run("make", "CREATE TABLE public.far (n int)")
        .await
        .unwrap();
    let tables = stats::tables(&access, &database, 5).await.unwrap();
    assert_eq!(tables[0].name, "far");
    assert!(
        stats::unused_indexes(&access, &database)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        extensions::list(&access, &database)
            .await
            .unwrap()
            .iter()
            .any(|one| one.name == "pgcrypto")
    );
    let uncounted = stats::slow_queries(&access, &database, 5).await.unwrap_err();
    assert_eq!(uncounted.kind, Kind::Conflict);

    // Nobody whom the system trusts said that this is 127.0.0.1; and another's certificate is not this one's.
    let (unknown, _) = outside::parse(&url("?sslmode=require"), Reach::All).unwrap();
    let failure = outside::look(&unknown).await.unwrap_err();
    assert!(failure.message.contains("certificate"), "{failure:?}");
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, other.cert.pem()).unwrap();
    assert!(outside::look(&access).await.is_err());
    // What control must not reach on a server is not asked at all.
    let (near, _) = outside::parse(&url("?sslmode=disable"), Reach::OtherMachines).unwrap();
    let failure = outside::look(&near).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Denied);
    assert!(failure.message.contains("it is this machine"), "{failure:?}");
    // And a password that is wrong is said as such, and not said.
    let wrong = url("?sslmode=disable").reveal().replace("0001@", "0002@");
    let (wrong, _) = outside::parse(&Secret::new(wrong), Reach::All).unwrap();
    let failure = outside::look(&wrong).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Denied);
    assert!(!format!("{failure:?}").contains("0002"));
}
