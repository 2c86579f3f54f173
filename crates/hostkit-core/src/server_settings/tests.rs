//! Settings of a server: what is taken, and everything that is wrong at once with its place.

use super::*;

fn problems(text: &str) -> Vec<String> {
    let failure = parse(text).unwrap_err();
    assert!(
        failure
            .message
            .starts_with("cannot read `/etc/hostkit/server.toml`")
    );
    failure
        .details
        .iter()
        .map(|line| line.replace("/etc/hostkit/server.toml:", ""))
        .collect()
}

#[test]
fn nothing_said_is_the_default() {
    for text in ["", "\u{feff}", "# a comment\n"] {
        assert_eq!(parse(text).unwrap(), ServerSettings::default());
    }
    let settings = ServerSettings::default();
    assert_eq!((settings.http_port, settings.api_port), (80, 7700));
    assert_eq!(settings.base_domain.as_str(), "localhost");
}

#[test]
fn everything_can_be_said() {
    let settings = parse(
        "base_domain = \"apps.example.com\"\nhttp_port = 9080\napi_port = 7_701\n\
         admin_mail = \"Ops+hk@Example.com\"\nopen_ports = [\"8443\", \"8443/udp\", \"51820/udp\"]\n\
         public_addresses = [\"203.0.113.7\", \"2001:db8::7\"]\n\
         instance_memory = \"768MB\"\ninstance_cpus = 1.5\ninstance_tasks = 300\n\
         instance_requests = 250\nproject_requests = 2_000\nproject_waiting = 0\n\
         cache_memory = \"256MB\"\ncache_disk = \"2GB\"\nconnections = 5000\nrequest_log_one_of = 100\n\
         languages = [\"node\", \"python\"]\n",
    )
    .unwrap();
    assert_eq!(settings.base_domain.as_str(), "apps.example.com");
    assert_eq!((settings.http_port, settings.api_port), (9080, 7701));
    assert_eq!(settings.admin_mail.unwrap().as_str(), "Ops+hk@Example.com");
    let addresses: Vec<String> = settings
        .public_addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses, ["203.0.113.7", "2001:db8::7"]);
    let ports: Vec<String> = settings.open_ports.iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["8443/tcp", "8443/udp", "51820/udp"]);
    assert_eq!(settings.languages, Language::ALL);
    assert_eq!(parse("languages = []").unwrap().languages, []);
    assert_eq!(ServerSettings::default().languages, [Language::Python]);
    let front_door = FrontDoorSettings {
        cache_memory: ByteSize::mib(256),
        cache_disk: ByteSize::mib(2048),
        connections: 5000,
        log_one_of: NonZeroU32::new(100).unwrap(),
    };
    assert_eq!(settings.front_door, front_door);
    for wrong in [
        "connections = 0",
        "request_log_one_of = 0",
        "cache_memory = \"1KB\"",
        "cache_disk = \"63MB\"",
        "cache_disk = 0",
    ] {
        assert_eq!(problems(wrong).len(), 1, "{wrong}");
    }
    assert_eq!(parse("cache_disk = \"0\"").unwrap(), ServerSettings::default());
    assert_eq!(settings.instance_memory, Some(ByteSize::mib(768)));
    assert_eq!(
        (settings.instance_cpus, settings.instance_tasks),
        (Some(Processors(150)), 300)
    );
    assert_eq!(
        (
            settings.instance_requests,
            settings.project_requests,
            settings.project_waiting
        ),
        (Some(250), 2000, 0)
    );
}

#[test]
fn all_problems_are_said_at_once_with_their_places() {
    assert_eq!(
        problems(
            "base_domain = \"https://Example.com/\"\nhtpp_port = 80\nhttp_port = \"80\"\napi_port = 70000\n\
             admin_mail = \"nobody\"\nopen_ports = [\"22/sctp\", \"0\", \"+5\", 80]\n"
        ),
        [
            "1:15: `base_domain`: `https://Example.com/` is not a valid host name: use lowercase letters, digits, hyphens and dots as in `shop.example.com`, without scheme, port or path (did you mean `example.com`?)",
            "2:1: unknown key `htpp_port` (did you mean `http_port`?)",
            "3:13: `http_port` is a whole number, not a text (did you mean `80`?)",
            "4:12: `api_port` cannot be 70000: it is a whole number from 1 to 65535",
            "5:14: `admin_mail`: `nobody` is not a mail address such as `ops@example.com`",
            "6:15: `open_ports`: `22/sctp` is not a port such as `8443`, `8443/tcp` or `51820/udp`",
            "6:26: `open_ports`: `0` is not a port such as `8443`, `8443/tcp` or `51820/udp`",
            "6:31: `open_ports`: `+5` is not a port such as `8443`, `8443/tcp` or `51820/udp`",
            "6:37: `open_ports` is a text in quotes, not a whole number (did you mean `\"80\"`?)",
        ]
    );
}

#[test]
fn an_instance_takes_half_of_a_small_machine_at_the_most() {
    let on = |text: &str, machine| {
        parse(text)
            .unwrap()
            .instance_memory_on(ByteSize::mib(machine))
            .to_string()
    };
    assert_eq!(on("", 1024), "512MB");
    assert_eq!(on("", 16384), "1GB");
    assert_eq!(on("instance_memory = \"3GB\"", 1024), "3GB");
}

#[test]
fn languages_are_those_we_know() {
    assert_eq!(
        problems("languages = [\"nodejs\", 3]\n"),
        [
            "1:14: `languages` cannot be `nodejs`: it is one of `node`, `python` (did you mean `node`?)",
            "1:24: `languages` is a word in quotes, not a whole number",
        ]
    );
}

#[test]
fn limits_nothing_could_run_with_are_refused() {
    assert_eq!(
        problems("instance_memory = \"1KB\"\ninstance_cpus = 0\ninstance_tasks = 1\n"),
        [
            "1:19: `instance_memory` cannot be `1KB`: it is at least 16MB",
            "2:17: `instance_cpus`: `0` is not a number of processors such as `0.5` or `2`",
            "3:18: `instance_tasks` cannot be 1: it is a whole number from 16 to 65536",
        ]
    );
}

#[test]
fn ports_do_not_get_into_each_others_way() {
    assert_eq!(
        problems("http_port = 8500\napi_port = 20000\n"),
        [
            "1:13: `http_port` cannot be 8500: 8001 to 8999 are for projects",
            "2:12: `api_port` cannot be 20000: 20000 to 31999 are for projects",
        ]
    );
    assert_eq!(
        problems("http_port = 7700\n"),
        ["1:13: front door and API cannot both have port 7700"]
    );
    assert_eq!(
        problems("api_port = 80\n"),
        ["1:12: front door and API cannot both have port 80"]
    );
    assert_eq!(
        problems("open_ports = [\"53/udp\", \"53\", \"53/udp\"]\n"),
        ["1:31: `open_ports` names 53/udp twice"]
    );
}

#[test]
fn hostile_texts_are_refused_in_words_that_can_be_shown() {
    for text in [
        "admin_mail = \"a@b\\nDPkg::Post-Invoke {\\\"id\\\"};\"",
        "admin_mail = \"-oQ/tmp@example.com\"",
        "admin_mail = \"a@b@c\"",
        "admin_mail = \"a;b@example.com\"",
        "base_domain = \"a\\u0000b\"",
        "base_domain = \"../../etc\"",
        "open_ports = [\"80; drop\"]",
        "open_ports = [\"\u{1b}[31m80\"]",
        "[http_port]\na = 1",
        "= 3",
        "\u{0}",
    ] {
        for line in problems(text) {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
    let long = format!("base_domain = \"{}\"", "a.".repeat(1 << 20));
    assert_eq!(problems(&long).len(), 1);
}

#[test]
fn certificates_are_ordered_where_an_authority_or_a_contact_is_named() {
    let acme = |text: &str| parse(text).unwrap().acme;
    assert_eq!(acme("[tls]\n"), None);
    let by_mail = acme("[tls]\nemail = \"ops@example.com\"\n").unwrap();
    assert_eq!(by_mail.directory, crate::certificate::LETS_ENCRYPT);
    assert_eq!(by_mail.contact.unwrap().as_str(), "ops@example.com");
    assert!(by_mail.wildcards.is_empty());
    let whole = acme(
        "base_domain = \"apps.example.com\"\n[tls]\nacme = \"https://ca.internal:14000/dir\"\nca_root = \"/etc/ca.pem\"\n\
         dns_hook = [\"/usr/local/bin/dns\", \"--zone\"]\naccount_id = \"me\"\naccount_key = \"/etc/hostkit/key\"\n",
    )
    .unwrap();
    assert_eq!(whole.directory, "https://ca.internal:14000/dir");
    assert_eq!(whole.dns_hook, ["/usr/local/bin/dns", "--zone"]);
    assert_eq!(whole.wildcards[0].as_str(), "apps.example.com");
    assert_eq!(whole.external_account.unwrap().id, "me");
}

#[test]
fn what_is_wrong_about_certificates_is_said() {
    assert_eq!(
        problems(
            "[tls]\nacme = \"http://ca/dir\"\nemail = \"nobody\"\nca_root = \"ca.pem\"\n\
             dns_hook = [\"dns\"]\naccount_id = \"me\"\nagree = true\n"
        ),
        [
            "2:8: `tls.acme`: `http://ca/dir` is not the address of a directory such as `https://acme-v02.api.letsencrypt.org/directory`",
            "3:9: `tls.email`: `nobody` is not a mail address such as `ops@example.com`",
            "4:11: `tls.ca_root`: `ca.pem` is not the whole path of a file such as `/etc/hostkit/ca.pem` (did you mean `/ca.pem`?)",
            "5:12: `tls.dns_hook`: `dns` is not the whole path of a file such as `/etc/hostkit/ca.pem`",
            "6:14: `tls.account_id` needs `tls.account_key` beside it",
            "7:1: unknown key `agree`, `[tls]` knows `acme`, `email`, `ca_root`, `dns_hook`, `account_id`, `account_key`",
        ]
    );
    assert_eq!(
        problems("[tls]\nca_root = \"/etc/ca.pem\"\n"),
        ["2:11: `tls.ca_root` needs `tls.acme` or `tls.email` beside it"]
    );
    for text in [
        "https://",
        "https:///dir",
        "https://a b/",
        "https://a@b/",
        "https://a/\\u001b",
        "file:///etc/passwd",
    ] {
        assert_eq!(
            problems(&format!("[tls]\nacme = \"{text}\"\n")).len(),
            1,
            "{text}"
        );
    }
}

/// What the package installs says every key, and nothing else.
#[test]
fn the_file_that_is_installed_explains_every_key() {
    let text = include_str!("../../../../packaging/etc/server.toml");
    assert_eq!(parse(text).unwrap(), ServerSettings::default());
    let keys = || KEYS.iter().filter(|key| key.name != "tls").chain(tls::KEYS);
    for key in keys() {
        let shown = format!("\n#{} = ", key.name);
        assert!(text.contains(&shown), "`{}` is not explained", key.name);
    }
    // Each line that is commented out can be used as it is.
    let used: String = text
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.starts_with(' '))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(
        used.lines().count(),
        keys().count() + 1,
        "and the name of the table"
    );
    parse(&used).unwrap();
}

#[test]
fn the_port_for_tls_is_one_of_its_own() {
    assert_eq!(parse("").unwrap().https_port, 443);
    assert_eq!(parse("https_port = 9443\n").unwrap().https_port, 9443);
    assert_eq!(
        problems("https_port = 80\n"),
        ["1:14: `https_port` and `http_port` cannot both be 80"]
    );
    assert_eq!(
        problems("http_port = 443\n"),
        ["1:13: `https_port` and `http_port` cannot both be 443"]
    );
}

#[test]
fn addresses_are_addresses_and_each_is_named_once() {
    let found =
        problems("public_addresses = [\"a.example\", \"1.2.3\", \"9.9.9.9:80\", \"9.9.9.9\", \"9.9.9.9\"]\n");
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found[0].ends_with("`a.example` is not an address such as `203.0.113.7` or `2001:db8::7`"));
    assert!(found[3].ends_with("`public_addresses` names 9.9.9.9 twice"));
}
