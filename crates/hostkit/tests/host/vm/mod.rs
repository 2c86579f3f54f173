//! The product on virtual machines, where version 2 of cgroups is real and a power cut loses what was not synced. Everything
//! takes long there unless the processor helps, so what a container can show is not shown here.

mod fixture;
mod greedy;
mod power;
mod small;

use hostkit_testkit::machine::Machine;

use crate::apps::write_app;

/// A small program without anything from a registry: `/` says a word, `/hungry` takes memory without end.
fn write_program(machine: &Machine, name: &str, word: &str) {
    let program = format!(
        "const kept = [];\n\
         require('http').createServer((request, answer) => {{\n\
         \x20 if (request.url === '/hungry') setInterval(() => kept.push(Buffer.alloc(8 << 20, 1)), 20);\n\
         \x20 answer.end('{word}');\n\
         }}).listen(process.env.PORT, process.env.HOST);\n"
    );
    let package =
        format!(r#"{{"name": "{name}", "version": "1.0.0", "scripts": {{"start": "node server.js"}}}}"#);
    let manifest = "[process.web]\ncommand = \"node server.js\"\nmemory = \"128MB\"\n[process.web.health]\nstart_period = \"3m\"\n";
    write_app(
        machine,
        name,
        &[
            ("package.json", &package),
            ("server.js", &program),
            ("hostkit.toml", manifest),
        ],
    );
}
