//! Explanations from outputs as programs print them.

use std::net::SocketAddr;

use super::*;
use crate::size::ByteSize;
use crate::workload::Exit;

struct Case {
    cause: Cause,
    /// A word that the sentence or the hint must have.
    says: &'static str,
    lines: &'static str,
}

/// Programs that ended with exit status 1 after these lines.
const PRINTED: &[Case] = &[
    Case {
        cause: Cause::MissingNodeModule,
        says: "npm install express",
        lines: "node:internal/modules/cjs/loader:1143\n  throw err;\n  ^\n\nError: Cannot find module 'express'\nRequire stack:\n- /srv/app/server.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1140:15) {\n  code: 'MODULE_NOT_FOUND',\n  requireStack: [ '/srv/app/server.js' ]\n}\n\nNode.js v20.11.0",
    },
    Case {
        cause: Cause::MissingNodeModule,
        says: "`@hono/node-server`",
        lines: "Error [ERR_MODULE_NOT_FOUND]: Cannot find package '@hono/node-server' imported from /srv/app/index.mjs",
    },
    Case {
        cause: Cause::MissingNodeModule,
        says: "file `/srv/app/dist/main.js`",
        lines: "Error: Cannot find module '/srv/app/dist/main.js'\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1140:15)",
    },
    Case {
        cause: Cause::MissingPythonModule,
        says: "`fastapi`",
        lines: "Traceback (most recent call last):\n  File \"/srv/app/main.py\", line 1, in <module>\n    from fastapi import FastAPI\nModuleNotFoundError: No module named 'fastapi'",
    },
    Case {
        cause: Cause::MissingPythonModule,
        says: "`gunicorn`",
        lines: "/usr/bin/python3: No module named gunicorn",
    },
    Case {
        cause: Cause::MissingVariable,
        says: "hostkit env set DATABASE_URL=",
        lines: "  File \"/srv/app/settings.py\", line 12, in <module>\n    url = os.environ[\"DATABASE_URL\"]\n  File \"<frozen os>\", line 679, in __getitem__\nKeyError: 'DATABASE_URL'",
    },
    Case {
        cause: Cause::MissingVariable,
        says: "`STRIPE_SECRET_KEY`",
        lines: "/srv/app/server.js:3\nif (!process.env.STRIPE_SECRET_KEY) throw new Error('process.env.STRIPE_SECRET_KEY is not set')\n",
    },
    Case {
        cause: Cause::MissingVariable,
        says: "`SESSION_SECRET`",
        lines: "Error: SESSION_SECRET is not set\n    at Object.<anonymous> (/srv/app/server.js:4:9)",
    },
    Case {
        cause: Cause::MissingVariable,
        says: "`DATABASE_URL`",
        lines: "Error: error: Environment variable not found: DATABASE_URL.\n  -->  schema.prisma:7\n   | \n 6 |   provider = \"postgresql\"\n 7 |   url      = env(\"DATABASE_URL\")",
    },
    Case {
        cause: Cause::MissingVariable,
        says: "`API_TOKEN`",
        lines: "error: missing environment variable API_TOKEN",
    },
    Case {
        cause: Cause::MissingVariable,
        says: "`SECRET_KEY`",
        lines: "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
    },
    Case {
        cause: Cause::MissingVariable,
        says: "`DJANGO_SECRET`",
        lines: "django.core.exceptions.ImproperlyConfigured: Set the DJANGO_SECRET environment variable",
    },
    Case {
        cause: Cause::MissingVariable,
        says: "`SECRET_KEY`",
        lines: "decouple.UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define a default value.",
    },
    Case {
        cause: Cause::PortInUse,
        says: "not the 20123",
        lines: "Error: listen EADDRINUSE: address already in use :::3000\n    at Server.setupListenHandle [as _listen2] (node:net:1817:16) {\n  code: 'EADDRINUSE',",
    },
    Case {
        cause: Cause::PortInUse,
        says: "own port 20123",
        lines: "[ERROR]  [Errno 98] error while attempting to bind on address ('127.0.0.1', 20123): address already in use",
    },
    Case {
        cause: Cause::PrivilegedPort,
        says: "below 1024",
        lines: "Error: listen EACCES: permission denied 0.0.0.0:80\n    at Server.setupListenHandle",
    },
    Case {
        cause: Cause::PermissionDenied,
        says: "chmod +x",
        lines: "sh: 1: ./start.sh: Permission denied",
    },
    Case {
        cause: Cause::PermissionDenied,
        says: "`keep`",
        lines: "PermissionError: [Errno 13] Permission denied: '/var/data/app.db'",
    },
    Case {
        cause: Cause::WrongInterpreter,
        says: "does not exist",
        lines: "/usr/bin/env: ‘python’: No such file or directory",
    },
    Case {
        cause: Cause::WrongInterpreter,
        says: "LF line ends",
        lines: "bash: ./run.sh: /bin/bash^M: bad interpreter: No such file or directory",
    },
    Case {
        cause: Cause::WrongInterpreter,
        says: "another processor",
        lines: "sh: 1: exec: ./server: Exec format error",
    },
    Case {
        cause: Cause::CommandNotFound,
        says: "`uvicorn` is not installed",
        lines: "sh: 1: uvicorn: not found",
    },
    Case {
        cause: Cause::CommandNotFound,
        says: "`gunicorn`",
        lines: "/bin/sh: line 1: gunicorn: command not found",
    },
    Case {
        cause: Cause::MissingScript,
        says: "no script `start`",
        lines: "npm error Missing script: \"start\"\nnpm error\nnpm error To see a list of scripts, run:\nnpm error   npm run",
    },
    Case {
        cause: Cause::MissingBuild,
        says: "npm run build",
        lines: "Error: Could not find a production build in the '.next' directory. Try building your app with 'next build' before starting the production server.",
    },
    Case {
        cause: Cause::MissingLibrary,
        says: "`libpq.so.5`",
        lines: "./server: error while loading shared libraries: libpq.so.5: cannot open shared object file: No such file or directory",
    },
    Case {
        cause: Cause::MissingApplication,
        says: "uvicorn main:app",
        lines: "ERROR:    Error loading ASGI app. Attribute \"app\" not found in module \"main\".",
    },
    Case {
        cause: Cause::MissingFile,
        says: "`config.json`",
        lines: "Error: ENOENT: no such file or directory, open 'config.json'\n    at Object.openSync (node:fs:603:3)",
    },
    Case {
        cause: Cause::MissingFile,
        says: "`/srv/app/main.py`",
        lines: "python3: can't open file '/srv/app/main.py': [Errno 2] No such file or directory",
    },
    Case {
        cause: Cause::SyntaxError,
        says: "\"type\": \"module\"",
        lines: "import express from 'express'\n^^^^^^\n\nSyntaxError: Cannot use import statement outside a module",
    },
    Case {
        cause: Cause::SyntaxError,
        says: "version",
        lines: "  File \"/srv/app/main.py\", line 3\n    match x:\n          ^\nSyntaxError: invalid syntax",
    },
    Case {
        cause: Cause::DependencyUnreachable,
        says: "127.0.0.1:5432",
        lines: "Error: connect ECONNREFUSED 127.0.0.1:5432\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1555:16)",
    },
    Case {
        cause: Cause::DependencyUnreachable,
        says: "translate host name",
        lines: "sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) could not translate host name \"db\" to address: Name or service not known, could not translate host name",
    },
    Case {
        cause: Cause::OutOfMemory,
        says: "ran out of memory",
        lines: "<--- Last few GCs --->\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
    },
    Case {
        cause: Cause::DiskFull,
        says: "hostkit doctor",
        lines: "OSError: [Errno 28] No space left on device",
    },
];

struct Observed {
    process: ProcessName,
    diagnosis: Diagnosis,
    health: Option<&'static str>,
    rule: HealthRule,
    port: Option<u16>,
    port_variable: VariableName,
    variables: Vec<VariableName>,
}

impl Observed {
    fn new() -> Self {
        Observed {
            process: ProcessName::web(),
            diagnosis: Diagnosis::default(),
            health: None,
            rule: HealthRule {
                path: Some("/up".into()),
                ..HealthRule::default()
            },
            port: Some(20123),
            port_variable: VariableName::parse("PORT").unwrap(),
            variables: Vec::new(),
        }
    }

    fn ended(mut self, code: Option<i32>, signal: Option<i32>, lines: &str) -> Self {
        self.diagnosis.last_lines = lines.lines().map(str::to_owned).collect();
        self.diagnosis.last_exit = Some(Exit {
            code,
            signal,
            out_of_memory: false,
            memory_limit: None,
            at: jiff::Timestamp::UNIX_EPOCH,
        });
        self
    }

    fn running(mut self, listening: &[&str], health: &'static str) -> Self {
        self.diagnosis.listening = listening
            .iter()
            .map(|a| a.parse::<SocketAddr>().unwrap())
            .collect();
        self.health = Some(health);
        self
    }

    fn explained(&self) -> Vec<Explanation> {
        explain(&self.evidence())
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence {
            process: &self.process,
            diagnosis: &self.diagnosis,
            health: self.health,
            rule: &self.rule,
            port: self.port,
            port_variable: &self.port_variable,
            variables: &self.variables,
        }
    }

    fn first(&self) -> Explanation {
        self.explained().into_iter().next().expect("an explanation")
    }
}

#[test]
fn every_output_is_understood() {
    for case in PRINTED {
        let found = Observed::new().ended(Some(1), None, case.lines).first();
        let said = format!("{} / {}", found.sentence, found.hint);
        assert_eq!(found.cause, case.cause, "{}\n{said}", case.lines);
        assert!(
            said.contains(case.says),
            "{}\n{said}\nhas no {}",
            case.lines,
            case.says
        );
        assert!(!found.sentence.ends_with('.') && !said.contains('\n'), "{said}");
    }
}

#[test]
fn a_program_that_only_ends_is_explained_by_how_it_ended() {
    for (code, signal, cause, says) in [
        (Some(0), None, Cause::EndedAtOnce, "in the foreground"),
        (Some(3), None, Cause::Ended, "exit status 3"),
        (Some(127), None, Cause::CommandNotFound, "not installed"),
        (None, Some(11), Cause::Ended, "segmentation fault"),
        (None, Some(9), Cause::Ended, "signal 9"),
    ] {
        let found = Observed::new().ended(code, signal, "starting\n").first();
        assert_eq!(found.cause, cause);
        let said = format!("{} / {}", found.sentence, found.hint);
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_kill_for_memory_is_told_before_anything_else() {
    let mut observed = Observed::new().ended(None, Some(9), "KeyError: 'DATABASE_URL'");
    for (memory_limit, sentence) in [
        (
            Some(ByteSize::mib(256)),
            "`web` was killed because it used more than its memory limit of 256MB",
        ),
        (
            None,
            "`web` was killed because there was no memory left for it on this machine",
        ),
    ] {
        if let Some(exit) = &mut observed.diagnosis.last_exit {
            exit.out_of_memory = true;
            exit.memory_limit = memory_limit;
        }
        let found = observed.first();
        assert_eq!(
            (found.cause, found.sentence.as_str()),
            (Cause::OutOfMemory, sentence)
        );
    }
}

#[test]
fn a_variable_that_is_set_is_not_called_missing() {
    let mut observed = Observed::new().ended(
        Some(1),
        None,
        "Error: SESSION_SECRET must be set to 32 characters",
    );
    observed.variables = vec![VariableName::parse("SESSION_SECRET").unwrap()];
    let found = observed.first();
    assert_eq!(found.cause, Cause::MissingVariable);
    assert!(found.sentence.contains("rejects the value"), "{}", found.sentence);
}

#[test]
fn ports_and_health_answers_of_a_running_program_are_understood() {
    let own: &[&str] = &["127.0.0.1:20123"];
    for (listening, health, cause, says) in [
        (
            &["0.0.0.0:3000"][..],
            "connection refused",
            Cause::OtherPort,
            "listens on port 3000, but `PORT` told it to listen on 20123",
        ),
        (
            &["127.0.0.1:3000", "127.0.0.1:9229"],
            "connection refused",
            Cause::OtherPort,
            "3000 and 9229",
        ),
        (
            &["[::1]:20123"],
            "connection refused",
            Cause::OtherAddress,
            "[::1]:20123",
        ),
        (
            &["10.0.0.5:20123"],
            "connection refused",
            Cause::OtherAddress,
            "variable `HOST`",
        ),
        (
            &[],
            "127.0.0.1:20123: connection refused",
            Cause::NoPort,
            "listens on no port",
        ),
        (
            own,
            "GET /up answered 301 to https://shop.localhost/up",
            Cause::HealthRedirect,
            "X-Forwarded-Proto",
        ),
        (
            own,
            "GET /up answered 302 to /login",
            Cause::HealthRedirect,
            "redirects to /login",
        ),
        (
            own,
            "GET /up answered 404",
            Cause::HealthNotFound,
            "knows no path `/up`",
        ),
        (own, "GET /up answered 401", Cause::HealthDenied, "wants a login"),
        (own, "GET /up answered 400", Cause::HealthError, "ALLOWED_HOSTS"),
        (
            own,
            "GET /up answered 500",
            Cause::HealthError,
            "hostkit logs --process web",
        ),
        (
            own,
            "GET /up took longer than 5s",
            Cause::HealthTimeout,
            "within 5s",
        ),
        (
            own,
            "GET /up: the connection was closed without an answer",
            Cause::HealthError,
            "plain HTTP",
        ),
        (
            &[],
            "GET /up: no valid answer: invalid HTTP version parsed",
            Cause::HealthError,
            "`protocol = \"h2c\"` in `[process.web]`",
        ),
        (
            own,
            "POST /grpc.health.v1.Health/Check over HTTP/2: no valid answer: http2 error",
            Cause::HealthError,
            "take `protocol` out",
        ),
        (
            own,
            "/grpc.health.v1.Health/Check ended with status 14 of gRPC: the database is gone",
            Cause::HealthError,
            "says that it is not ready",
        ),
        (
            own,
            "/grpc.health.v1.Health/Check says that it is not serving",
            Cause::HealthError,
            "hostkit logs --process web",
        ),
        (
            &["0.0.0.0:20123"],
            "GET /up timed out",
            Cause::HealthTimeout,
            "longer `timeout`",
        ),
    ] {
        let observed = Observed::new().running(listening, health);
        let found = observed.explained();
        assert_eq!(found.len(), 1, "{found:?}");
        let said = format!("{} / {}", found[0].sentence, found[0].hint);
        assert_eq!(found[0].cause, cause, "{said}");
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn the_words_of_a_program_explain_its_errors_but_not_its_wrong_port() {
    let lines = vec!["Error: SESSION_SECRET is not set".to_owned()];
    let mut failing = Observed::new().running(&["127.0.0.1:20123"], "GET /up answered 500");
    failing.diagnosis.last_lines.clone_from(&lines);
    let causes: Vec<Cause> = failing.explained().into_iter().map(|one| one.cause).collect();
    assert_eq!(causes, [Cause::MissingVariable, Cause::HealthError]);
    let mut elsewhere = Observed::new().running(&["127.0.0.1:3000"], "connection refused");
    elsewhere.diagnosis.last_lines = lines;
    let causes: Vec<Cause> = elsewhere.explained().into_iter().map(|one| one.cause).collect();
    assert_eq!(causes, [Cause::OtherPort, Cause::MissingVariable]);
}

#[test]
fn what_is_fine_is_not_explained() {
    let mut observed = Observed::new().running(&["127.0.0.1:20123"], "something new");
    observed.diagnosis.last_lines = [
        "INFO: Started server process [1]",
        "GET /missing 404",
        "Optional key FOO used",
        "listening on port 20123, environment production",
        "hint: SENTRY is an error tracker",
    ]
    .map(str::to_owned)
    .to_vec();
    assert_eq!(observed.explained(), []);
    let mut worker = Observed::new();
    worker.port = None;
    assert_eq!(worker.explained(), []);
}

#[test]
fn only_what_is_certain_is_elsewhere() {
    let port = |text: &str| Some(Elsewhere::Port(text.parse().unwrap()));
    let address = |text: &str| Some(Elsewhere::Address(text.parse().unwrap()));
    for (listening, health, line, found) in [
        (
            &["0.0.0.0:3000"][..],
            "connection refused",
            "Server listening on port 3000",
            port("0.0.0.0:3000"),
        ),
        (
            &["[::]:3000", "0.0.0.0:3000"],
            "connection refused",
            "   - Local:   http://localhost:3000",
            port("[::]:3000"),
        ),
        (
            &["127.0.0.1:8000"],
            "connection refused",
            "INFO:  Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)",
            port("127.0.0.1:8000"),
        ),
        (&["[::1]:20123"], "connection refused", "", address("[::1]:20123")),
        (
            &["10.0.0.5:20123"],
            "connection refused",
            "",
            address("10.0.0.5:20123"),
        ),
        // It says nothing, or something else.
        (&["0.0.0.0:3000"], "connection refused", "", None),
        (&["0.0.0.0:3000"], "connection refused", "loaded 3000 rows", None),
        (
            &["0.0.0.0:3000"],
            "connection refused",
            "listening on 13000",
            None,
        ),
        (
            &["0.0.0.0:3000"],
            "connection refused",
            "listening on 20123",
            None,
        ),
        // Doors at its side.
        (
            &["0.0.0.0:9090"],
            "connection refused",
            "Prometheus metrics listening on :9090",
            None,
        ),
        (
            &["127.0.0.1:9229"],
            "connection refused",
            "Debugger listening on ws://127.0.0.1:9229/6e51",
            None,
        ),
        (
            &["0.0.0.0:9090"],
            "connection refused",
            "admin server listening on http://0.0.0.0:9090",
            None,
        ),
        (
            &["0.0.0.0:3000", "0.0.0.0:9090"],
            "connection refused",
            "listening on 3000",
            None,
        ),
        // It is where it shall be, or answers there.
        (
            &["0.0.0.0:20123"],
            "connection refused",
            "listening on 20123",
            None,
        ),
        (
            &["127.0.0.1:20123", "[::1]:20123"],
            "connection refused",
            "",
            None,
        ),
        (
            &["0.0.0.0:3000"],
            "GET /up answered 500",
            "listening on 3000",
            None,
        ),
        (&[], "connection refused", "listening on 3000", None),
    ] {
        let mut observed = Observed::new().running(listening, health);
        observed.diagnosis.last_lines = vec!["starting".into(), line.into()];
        assert_eq!(
            elsewhere(&observed.evidence()),
            found,
            "{listening:?} {health} `{line}`"
        );
    }
}
