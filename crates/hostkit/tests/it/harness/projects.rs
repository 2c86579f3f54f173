//! Source folders for tests: small programs without dependencies.

use std::path::{Path, PathBuf};

/// Writes files into a new folder below `parent`.
pub(crate) fn folder(parent: &Path, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = parent.join(name);
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// A static site that says `text`.
pub(crate) fn site(parent: &Path, name: &str, text: &str) -> PathBuf {
    folder(
        parent,
        name,
        &[(
            "index.html",
            &format!("<!doctype html><title>{name}</title><p>{text}</p>"),
        )],
    )
}

/// A Node server without dependencies: `/` says `text`, `/slow?ms=` answers late, `/env` gives one variable asked
/// for by name as JSON, `/kept` may be kept and counts how often it was asked for, `/exit` ends the program, `/ws` echoes over WebSocket (text frames below 126 bytes).
pub(crate) fn node(parent: &Path, name: &str, text: &str) -> PathBuf {
    let server = NODE_SERVER.replace("TEXT", &serde_json::to_string(text).unwrap());
    folder(
        parent,
        name,
        &[
            ("server.js", &server),
            (
                "package.json",
                r#"{"name":"app","version":"1.0.0","scripts":{"start":"node server.js"}}"#,
            ),
            ("hostkit.toml", "[process.web.health]\npath = \"/health\"\n"),
        ],
    )
}

const NODE_SERVER: &str = r#"
const http = require('http'), crypto = require('crypto');
const text = TEXT;
let reported = '', kept = 0;
const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://x');
  if (url.pathname === '/slow') return setTimeout(() => response.end('slow ' + text), Number(url.searchParams.get('ms')));
  if (url.pathname === '/env') return response.end(JSON.stringify(process.env[url.searchParams.get('name')] ?? null));
  if (url.pathname === '/names') return response.end(JSON.stringify(Object.keys(process.env).sort()));
  if (url.pathname === '/headers') return response.end(JSON.stringify(request.rawHeaders));
  if (url.pathname === '/pid') return response.end(String(process.pid));
  if (url.pathname === '/upload') {
    let length = 0;
    request.on('data', data => { length += data.length; }).on('end', () => response.end(String(length)));
    return;
  }
  if (url.pathname.startsWith('/kept')) return response.setHeader('cache-control', 'max-age=600').end(text + ' ' + ++kept);
  if (url.pathname === '/page') return response.setHeader('content-type', 'text/html').end(text);
  if (url.pathname === '/report') { reported = url.searchParams.get('text'); return response.end('thanks'); }
  if (url.pathname === '/reported') return response.end(reported);
  if (url.pathname === '/exit') { response.end('bye'); setTimeout(() => process.exit(3), 20); return; }
  response.end(text);
});
server.on('upgrade', (request, socket) => {
  const key = crypto.createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ' + key + '\r\n\r\n');
  socket.on('error', () => {});
  socket.on('data', data => {
    const opcode = data[0] & 15, length = data[1] & 127;
    if (opcode === 8) return socket.end();
    const mask = data.subarray(2, 6), body = Buffer.from(data.subarray(6, 6 + length));
    for (let i = 0; i < body.length; i++) body[i] ^= mask[i % 4];
    socket.write(Buffer.concat([Buffer.from([0x81, body.length]), body]));
  });
});
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections(); });
server.listen(Number(process.env.PORT), process.env.HOST, () => console.log('listening with ' + text));
"#;
