//! Three small projects that need nothing from a registry: a site, a Node program and a Python program.

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::load::Load;
use hostkit_testkit::machine::{Machine, Output};

/// A site, a Node program and a Python program, without anything from a registry.
pub(crate) const APPS: [(&str, &[(&str, &str)]); 3] = [
    ("shop", &[("index.html", "shop 1")]),
    (
        "blog",
        &[
            (
                "package.json",
                r#"{"name": "blog", "version": "1.0.0", "scripts": {"start": "node server.js"}}"#,
            ),
            (
                "server.js",
                "require('http').createServer((_, answer) => answer.end('blog 1'))\n\
                 .listen(process.env.PORT, process.env.HOST)\n",
            ),
        ],
    ),
    (
        "counter",
        &[
            ("requirements.txt", ""),
            ("hostkit.toml", "[process.web]\ncommand = \"python3 app.py\"\n"),
            (
                "app.py",
                "import http.server, os\n\
                 class Server(http.server.ThreadingHTTPServer):\n\
                 \x20   request_queue_size = 1024\n\
                 class Answer(http.server.BaseHTTPRequestHandler):\n\
                 \x20   def do_GET(self):\n\
                 \x20       self.send_response(200)\n\
                 \x20       self.end_headers()\n\
                 \x20       self.wfile.write(b'counter 1')\n\
                 Server((os.environ['HOST'], int(os.environ['PORT'])), Answer).serve_forever()\n",
            ),
        ],
    ),
];

/// Puts the files of a project on the machine.
pub(crate) fn write_app(machine: &Machine, name: &str, files: &[(&str, &str)]) {
    for (path, content) in files {
        machine.write(*content, &format!("/root/apps/{name}/{path}"), 0o644);
    }
}

pub(crate) fn deploy(machine: &Machine, name: &str) -> Output {
    let folder = format!("/root/apps/{name}");
    machine.exec(&["hostkit", "deploy", &folder, "--project", name])
}

pub(crate) fn body(machine: &Machine, name: &str) -> String {
    let host = format!("{name}.apps.example.com");
    http::get(Place::on(machine, 80), &host, "/").body
}

/// Puts one of [`APPS`] on the machine so that it answers with its name and this version.
pub(crate) fn write_version(machine: &Machine, name: &str, version: u32) {
    let (_, files) = APPS.iter().find(|(app, _)| *app == name).unwrap();
    for (path, text) in *files {
        let text = text.replace(&format!("{name} 1"), &format!("{name} {version}"));
        write_app(machine, name, &[(path, &text)]);
    }
}

/// Creates all of [`APPS`] and deploys their first version.
pub(crate) fn deploy_all(machine: &Machine) {
    for (name, files) in APPS {
        machine.exec(&["hostkit", "project", "create", name]).ok();
        write_app(machine, name, files);
        deploy(machine, name).ok();
        assert_eq!(body(machine, name), format!("{name} 1"));
    }
}

/// Load on each of [`APPS`], from outside the machine, in the clear and over TLS.
pub(crate) fn load_all(machine: &Machine, per_second: u32) -> Vec<(String, Load)> {
    let start = |(name, _): (&str, _)| {
        let host = format!("{name}.apps.example.com");
        let plain = Load::start(Place::on(machine, 80), &host, "/", per_second);
        let secure = Load::start_tls(Place::on(machine, 443), &host, "/", per_second / 2);
        [(name.to_owned(), plain), (format!("{name} over TLS"), secure)]
    };
    APPS.into_iter().flat_map(start).collect()
}
