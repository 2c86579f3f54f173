//! Puts the ports of `server.toml` into the socket units of a server. systemd runs generators (`systemd.generator(7)`)
//! at boot and at each `daemon-reload`, before it reads its units, so the ports are written down in one place alone.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use hostkit_core::server_settings::{API_PORT, HTTP_PORT, HTTPS_PORT, ServerSettings};

/// What systemd finds among its generators: a link to our binary.
const NAME: &str = "hostkit-sockets";

/// Is the generator, where the binary is called by its name.
pub(crate) fn dispatch(arguments: &[OsString]) -> Option<i32> {
    let own = Path::new(arguments.first()?).file_name()?;
    if own != NAME {
        return None;
    }
    let settings = match crate::machine_settings::load() {
        Ok(settings) => settings,
        Err(failure) => {
            // Whoever made the mistake is told by control, which does not start; the front door goes on as installed.
            complain(&failure);
            ServerSettings::default()
        }
    };
    let written = match arguments.get(1) {
        Some(folder) => write(Path::new(folder), &settings),
        None => Err(io::Error::other("systemd names no folder")),
    };
    Some(match written {
        Ok(()) => 0,
        Err(why) => {
            complain(&why);
            1
        }
    })
}

/// To the kernel's log, where systemd sends what generators say.
fn complain(why: &dyn std::fmt::Display) {
    use std::io::Write;
    writeln!(io::stderr(), "{NAME}: {why}").ok();
}

fn write(folder: &Path, settings: &ServerSettings) -> io::Result<()> {
    let ports = [
        ("hostkit-proxy.socket.d", settings.http_port, HTTP_PORT, ""),
        ("hostkit-https.socket.d", settings.https_port, HTTPS_PORT, ""),
        ("hostkit-api.socket.d", settings.api_port, API_PORT, "127.0.0.1:"),
    ];
    for (unit, port, installed, address) in ports {
        if port == installed {
            continue;
        }
        let drop_ins = folder.join(unit);
        std::fs::create_dir_all(&drop_ins)?;
        // The first, empty line takes back what the unit itself says.
        let text = format!("[Socket]\nListenStream=\nListenStream={address}{port}\n");
        std::fs::write(drop_ins.join("port.conf"), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_ports_replace_those_of_the_units() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &ServerSettings::default()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let settings = ServerSettings {
            http_port: 9080,
            https_port: 9443,
            api_port: 7701,
            ..ServerSettings::default()
        };
        write(folder.path(), &settings).unwrap();
        let text = |unit: &str| std::fs::read_to_string(folder.path().join(unit).join("port.conf")).unwrap();
        assert_eq!(
            text("hostkit-proxy.socket.d"),
            "[Socket]\nListenStream=\nListenStream=9080\n"
        );
        assert_eq!(
            text("hostkit-https.socket.d"),
            "[Socket]\nListenStream=\nListenStream=9443\n"
        );
        assert_eq!(
            text("hostkit-api.socket.d"),
            "[Socket]\nListenStream=\nListenStream=127.0.0.1:7701\n"
        );
    }

    #[test]
    fn it_is_asked_for_by_name_alone() {
        for line in [&["hostkit", "hostkit-sockets"][..], &["/usr/bin/hostkit"], &[]] {
            let line: Vec<OsString> = line.iter().map(OsString::from).collect();
            assert_eq!(dispatch(&line), None);
        }
        assert_eq!(
            dispatch(&["/lib/systemd/system-generators/hostkit-sockets".into()]),
            Some(1)
        );
    }

    /// What the units say where the file says nothing.
    #[test]
    fn the_units_have_the_ports_of_the_settings() {
        let proxy = include_str!("../../../packaging/systemd/hostkit-proxy.socket");
        assert!(proxy.contains(&format!("\nListenStream={HTTP_PORT}\n")));
        let https = include_str!("../../../packaging/systemd/hostkit-https.socket");
        assert!(https.contains(&format!("\nListenStream={HTTPS_PORT}\n")));
        let api = include_str!("../../../packaging/systemd/hostkit-api.socket");
        assert!(api.contains(&format!("\nListenStream=127.0.0.1:{API_PORT}\n")));
    }
}
