//! Which folder is the site.

use std::collections::BTreeMap;
use std::fs;

use hostkit_core::log::LogStream;
use hostkit_core::manifest::{BuildRule, Command};
use hostkit_core::size::ByteSize;
use hostkit_host::command::Guard;
use hostkit_host::roles::SelfProgram;

use super::*;

struct Quiet;

impl BuildLog for Quiet {
    fn line(&self, _: LogStream, _: &str) {}
}

fn tools() -> Arc<Toolbox> {
    Arc::new(Toolbox::new(
        Guard::new(SelfProgram::at("/nonexistent")),
        BTreeMap::new(),
        ByteSize(1),
    ))
}

fn job(folder: &Path, files: &[&str]) -> BuildJob {
    let job = BuildJob {
        project: "shop".parse().unwrap(),
        source: folder.join("source"),
        output: folder.join("output"),
        cache: folder.join("cache"),
        rule: BuildRule::default(),
        variables: Default::default(),
    };
    fs::create_dir_all(&job.cache).unwrap();
    for file in files {
        let path = job.source.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    job
}

#[tokio::test]
async fn a_plain_folder_is_published_without_what_is_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let job = job(
        folder.path(),
        &["index.html", "a/b.css", "hostkit.toml", "Procfile"],
    );
    let site = StaticSite::new(tools());
    assert!(site.detect(&job.source).is_some());
    let artifact = site.build(&job, &Quiet).await.unwrap();
    assert!(artifact.files.unwrap().root.is_root());
    assert!(job.output.join("a/b.css").is_file());
    assert!(!job.output.join("hostkit.toml").exists());
    assert!(!job.source.exists(), "renamed, not copied");
}

#[tokio::test]
async fn a_named_folder_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = job(folder.path(), &["web/index.html"]);
    job.rule.output = Some(RelativePath::parse("www").unwrap());
    let site = StaticSite::new(tools());
    assert!(
        site.build(&job, &Quiet)
            .await
            .unwrap_err()
            .message
            .contains("`www`")
    );
    job.rule.output = Some(RelativePath::parse("web").unwrap());
    site.build(&job, &Quiet).await.unwrap();
    assert!(job.output.join("index.html").is_file());
}

#[tokio::test]
async fn a_build_without_output_says_where_it_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = job(folder.path(), &["readme"]);
    job.rule.command = Some(Command::Line("true".into()));
    let failure = publish(&job, Vec::new()).unwrap_err();
    assert!(failure.message.contains("dist, build, out"));
    assert!(StaticSite::new(tools()).detect(&job.source).is_none());
}
