use super::*;

fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).unwrap()
}

#[test]
fn names_of_the_system_are_refused() {
    for text in [
        "root",
        "sudo",
        "docker",
        "postgres",
        "www-data",
        "hostkit-proxy",
        "systemd-resolve",
    ] {
        assert_eq!(
            check_name(&name(text)).unwrap_err().kind,
            Kind::Conflict,
            "{text}"
        );
    }
    for text in ["shop", "sudoku", "dockerized", "my-hostkit-app"] {
        assert!(check_name(&name(text)).is_ok(), "{text}");
    }
}

#[test]
fn every_reserved_name_could_be_a_projects() {
    for text in RESERVED {
        assert!(
            ProjectName::parse(text).is_ok(),
            "{text} needs no place in the list"
        );
    }
}

#[test]
fn processes_of_the_system_are_never_ended() {
    for uid in [0, 1, 33, LOWEST_UID - 1] {
        assert_eq!(end_processes(uid, uid).unwrap_err().kind, Kind::Internal);
    }
}
