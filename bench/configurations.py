"""How the front doors are set up, each as a careful administrator would: kept connections to the upstream, buffers large
enough to stay off the disk, a line in a log for each request. All serve the same paths on a plain and a TLS port."""

NGINX = """
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 75s; sendfile on;
    {rest}
}}
"""

# `x-made` tells whether an answer was made anew.
UPSTREAM = """
    access_log off;
    server {{
        listen 127.0.0.1:{upstream} backlog=4096;
        root {www};
        location = / {{ default_type text/plain; return 200 "{body}"; }}
        location = /text {{ types {{}} default_type text/html; }}
        location = /cached {{
            types {{}} default_type text/html;
            add_header Cache-Control "public, max-age=3600"; add_header X-Made $request_id;
        }}
    }}
"""

NGINX_DOOR = """
    access_log {folder}/access.log combined buffer=64k flush=1s;
    open_file_cache max=1000; open_file_cache_valid 60s;
    proxy_http_version 1.1; proxy_buffers 16 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 128k;
    proxy_max_temp_file_size 0;
    proxy_cache_path {folder}/cache keys_zone=kept:10m;
    proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Request-ID $request_id;
    proxy_set_header Connection "";
    gzip_types text/html; gzip_proxied any;
    server_names_hash_max_size 65536; server_names_hash_bucket_size 128;
    upstream app {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
    upstream sockets {{ server 127.0.0.1:{sockets}; }}
    server {{
        listen 127.0.0.1:{door} default_server backlog=4096;
        listen 127.0.0.1:{door_tls} default_server ssl http2 backlog=4096;
        ssl_certificate {certificate}; ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:sessions:10m;
        location / {{ proxy_pass http://app; }}
        location = /text {{ gzip on; proxy_pass http://app; }}
        location = /cached {{ proxy_cache kept; proxy_pass http://app; }}
        location /files/ {{ root {www}; types {{}} default_type text/html; }}
        location = /ws {{
            proxy_pass http://sockets; proxy_read_timeout 1h;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
        }}
    }}
    {routes}
"""

NGINX_ROUTE = "server {{ listen 127.0.0.1:{door}; server_name {host}; location / {{ proxy_pass http://app; }} }}"

# Its log goes to its standard output, a line and a system call per request: it has no other but a syslog daemon's, which
# would do part of the work.
HAPROXY = """
global
    nbthread 1
    maxconn 16000
    no strict-limits
    log stdout format raw local0
    ssl-default-bind-options ssl-min-ver TLSv1.2
cache kept
    total-max-size 64
    max-object-size 1000000
    max-age 3600
defaults
    mode http
    log global
    option httplog
    option forwardfor
    timeout connect 5s
    timeout client 75s
    timeout server 75s
    timeout tunnel 1h
    http-reuse always
frontend door
    bind 127.0.0.1:{door} backlog 4096
    bind 127.0.0.1:{door_tls} ssl crt {pem} alpn h2,http/1.1 backlog 4096
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    unique-id-format %{{+X}}o%pid%ci%cp%fi%fp%Ts%rt
    unique-id-header X-Request-ID
    use_backend text if {{ path /text }}
    use_backend cached if {{ path /cached }}
    use_backend sockets if {{ path /ws }}
    use_backend %[req.hdr(host),host_only,map({map},app)]
backend app
    server one 127.0.0.1:{upstream}
backend text
    compression algo gzip
    compression type text/html
    server one 127.0.0.1:{upstream}
backend cached
    http-request cache-use kept
    http-response cache-store kept
    server one 127.0.0.1:{upstream}
backend sockets
    server one 127.0.0.1:{sockets}
"""

CADDY = """
{{
    admin off
    auto_https off
    servers {{
        protocols h1 h2
    }}
}}
(app) {{
    reverse_proxy 127.0.0.1:{upstream} {{
        transport http {{
            keepalive_idle_conns 1024
            keepalive_idle_conns_per_host 512
            compression off
        }}
    }}
}}
(door) {{
    log {{
        output file {folder}/access.log {{
            roll_disabled
        }}
    }}
    handle /files/* {{
        root * {www}
        file_server
    }}
    handle /text {{
        encode gzip
        import app
    }}
    handle /ws {{
        reverse_proxy 127.0.0.1:{sockets}
    }}
    handle {{
        import app
    }}
}}
http://localhost:{door} {{
    import door
}}
https://localhost:{door_tls} {{
    tls {certificate} {key}
    import door
}}
{routes}
"""

CADDY_ROUTE = """http://{host}:{door} {{
    log {{
        output file {folder}/access.log {{
            roll_disabled
        }}
    }}
    import app
}}"""
