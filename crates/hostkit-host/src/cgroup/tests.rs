use super::*;

const GROUP: &str = "/hostkit.slice/hostkit-projects.slice/hostkit-shop.production.web.1.1.service";

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let kept = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = kept.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    kept
}

fn figures(files: &[(&str, &str)]) -> Option<Figures> {
    let kept = tree(files);
    ControlGroups::at(kept.path()).figures(GROUP).unwrap()
}

fn at(place: &str, name: &str) -> String {
    format!("{place}{GROUP}/{name}")
}

#[test]
fn the_unified_hierarchy_is_read() {
    let names = [
        ("memory.current", "104857600\n"),
        ("memory.peak", "209715200\n"),
        ("memory.max", "268435456\n"),
        ("cpu.stat", "usage_usec 1500000\nuser_usec 1\nsystem_usec 2\n"),
        (
            "memory.events",
            "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 1\n",
        ),
        ("pids.current", "5\n"),
        ("cgroup.procs", "12\n11\n"),
        ("inner/cgroup.procs", "13\n12\n"),
    ];
    let files: Vec<(String, &str)> = names.iter().map(|(name, text)| (at("", name), *text)).collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    files.push(("cgroup.controllers", "cpu memory pids\n"));
    let found = figures(&files).unwrap();
    assert_eq!(
        found,
        Figures {
            memory: Some(ByteSize(100 << 20)),
            memory_peak: Some(ByteSize(200 << 20)),
            memory_limit: Some(ByteSize(256 << 20)),
            processor: Some(Duration::from_millis(1500)),
            memory_kills: Some(2),
            tasks: Some(5),
            processes: vec![11, 12, 13],
        }
    );
}

#[test]
fn the_hierarchy_by_resource_is_read() {
    for processor in ["cpuacct", "cpu,cpuacct"] {
        let files = [
            (at("memory", "memory.usage_in_bytes"), "1024\n"),
            (at("memory", "memory.max_usage_in_bytes"), "2048\n"),
            (at("memory", "memory.limit_in_bytes"), "4096\n"),
            (
                at("memory", "memory.oom_control"),
                "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
            ),
            (at(processor, "cpuacct.usage"), "2500000000\n"),
            (at("pids", "pids.current"), "3\n"),
            (at("systemd", "cgroup.procs"), "21\n"),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let found = figures(&files).unwrap();
        assert_eq!(found.memory_limit, Some(ByteSize(4096)));
        assert_eq!(
            (found.memory, found.memory_peak),
            (Some(ByteSize(1024)), Some(ByteSize(2048)))
        );
        assert_eq!(found.processor, Some(Duration::from_millis(2500)));
        assert_eq!((found.memory_kills, found.tasks), (Some(4), Some(3)));
        assert_eq!(found.processes, [21]);
    }
}

#[test]
fn a_mixed_hierarchy_counts_processor_time_beside() {
    let (memory, processor) = (at("memory", "memory.usage_in_bytes"), at("unified", "cpu.stat"));
    let found = figures(&[(&memory, "1024\n"), (&processor, "usage_usec 7000000\n")]).unwrap();
    assert_eq!(found.memory, Some(ByteSize(1024)));
    assert_eq!(found.processor, Some(Duration::from_secs(7)));
}

#[test]
fn no_limit_and_what_is_not_counted_are_no_figures() {
    let unified = at("", "memory.max");
    let found = figures(&[("cgroup.controllers", ""), (&unified, "max\n")]).unwrap();
    assert_eq!(found, Figures::default());
    let by_resource = at("memory", "memory.limit_in_bytes");
    let found = figures(&[(&by_resource, "9223372036854771712\n")]).unwrap();
    assert_eq!(found, Figures::default());
}

#[test]
fn a_group_that_is_not_there_has_no_figures() {
    assert_eq!(figures(&[("cgroup.controllers", "")]), None);
    assert_eq!(figures(&[]), None);
}

#[test]
fn what_is_no_group_is_refused() {
    let kept = tree(&[("cgroup.controllers", "")]);
    for group in ["", "/", "a", "/..", "/a/../../etc", "../a", "/a/./../b", "/a\0b"] {
        let failure = ControlGroups::at(kept.path()).figures(group).unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid, "{group:?}");
    }
}

#[test]
fn odd_texts_are_no_figures() {
    let (current, events) = (at("", "memory.current"), at("", "memory.events"));
    for text in ["", "many", "-1", "1 2", "18446744073709551616"] {
        let found = figures(&[("cgroup.controllers", ""), (&current, text), (&events, text)]).unwrap();
        assert_eq!((found.memory, found.memory_kills), (None, None), "{text}");
    }
}
