//! The examples below each help text, and how they are laid out: a command and what it is for.

macro_rules! examples {
    ($($name:ident: $(($line:literal, $what:literal)),+ $(; $note:literal)?;)+) => {
        $(pub(super) const $name: &str = concat!(
            "Examples:",
            $("\n  ", $line, "\n      ", $what),+
            $(, "\n\n", $note)?
        );)+
    };
}

pub(super) const ROOT: &str = "Start here:
  hostkit up --detach
      start HostKit on this machine
  hostkit deploy
      put the folder you are in live

`hostkit help COMMAND` explains a command, with examples.";

examples! {
    UP: ("hostkit up", "run here until Ctrl-C"),
        ("hostkit up --detach", "run in the background; `hostkit down` ends it"),
        ("hostkit up --data /tmp/trial --http-port 0", "a second installation, on any free port");
    DOWN: ("hostkit down", "stop everything in order; nothing is lost, `hostkit up` brings it back");
    TRUST: ("hostkit trust", "browsers of this account, and the system's list where that is yours to change"),
        ("sudo hostkit trust --data ~/.local/share/hostkit", "the system's list"),
        ("hostkit trust --remove", "take it away again"),
        ("NODE_EXTRA_CA_CERTS=\"$(hostkit trust --print)\" node app.js", "for a program with a list of its own");
        "Once, after the first `hostkit up --tls`. The authority can vouch for names below localhost and for nothing else.";
    STATUS: ("hostkit status", "where the API, the front door and the data are"),
        ("hostkit status --json", "the same for a script");
    DOCTOR: ("hostkit doctor", "check the installation; exit code 1 if something is wrong"),
        ("hostkit doctor shop", "the production checklist of a project"),
        ("hostkit doctor shop --env staging --json", "of another environment, for a script"),
        ("sudo hostkit doctor isolation shop blog", "what shop's account can do to blog: nothing, or exit code 1");
    INIT: ("hostkit init", "write a hostkit.toml with comments; everything in it is optional"),
        ("hostkit init shop --name shop", "for another folder, under another name");
    PROVISION: ("hostkit provision shop --no-auth", "account, home, rights, logs, port, a database and a bucket; done again, what is missing"),
        ("hostkit provision shop --no-db --no-auth --no-storage --source .", "without any of them, and deploy the folder you are in");
        "The auth service is not part of this version, so for now it has to be left out by name.";
    PROJECT: ("hostkit project create shop", "create a project"),
        ("hostkit project list", "all projects and where they answer"),
        ("hostkit project delete shop --yes", "delete it, without being asked");
    SCAN: ("hostkit scan", "the files a deploy from here would send; exit code 1 if a secret is in them"),
        ("hostkit scan ./api --json", "another folder, for a script or a commit hook");
        "Needs no HostKit to run. A line with `hostkit:allow-secret` in it, and the line below it, are passed over, and so is what `ignore` below [scan] in hostkit.toml names.";
    DEPLOY: ("hostkit deploy", "the folder you are in"),
        ("hostkit deploy ./site --project shop", "another folder, as another project"),
        ("hostkit deploy --env staging", "to another environment, with its own URL and variables"),
        ("hostkit deploy --canary 10", "to 10 % of the visitors; then `hostkit promote` or `hostkit rollback`"),
        ("git archive HEAD | hostkit deploy --archive - -p shop", "exactly what is committed"),
        ("URL=$(hostkit deploy --quiet)", "stdout carries the URL, everything else is on stderr");
        "Files matched by .gitignore and .hostkitignore stay here, and always .git, node_modules, .venv, venv, __pycache__, .next and .hostkit. Only contents that the server does not have yet are sent.";
    PROMOTE: ("hostkit promote", "everybody gets the canary: it is the live release now"),
        ("hostkit promote --percent 50", "half of the visitors get it; whoever had it keeps it"),
        ("hostkit rollback", "nobody gets it any more");
    ROLLBACK: ("hostkit rollback", "to the release before the live one; where a canary stands, it is ended"),
        ("hostkit rollback --to 20250215-120000", "to a release that `hostkit releases` lists");
    CANCEL: ("hostkit cancel", "the deployment that waits or runs"),
        ("hostkit cancel 42", "one of several");
    RELEASES: ("hostkit releases", "the newest first; the live one is marked");
    DEPLOYMENTS: ("hostkit deployments", "the newest first"),
        ("hostkit deployments show 42", "steps and outcome of one"),
        ("hostkit deployments log 42 -f", "its log, and what is still to come");
    PS: ("hostkit ps", "every instance: state, age, memory, restarts");
    LOGS: ("hostkit logs -f", "the last 100 lines, and new ones as they come"),
        ("hostkit logs --process worker --since 1h --grep error", "only some"),
        ("hostkit logs -n 1000 --json", "one JSON object a line");
    EVENTS: ("hostkit events -f", "everything that happens, as it happens"),
        ("hostkit events --project shop", "only of one project");
    SCALE: ("hostkit scale web=3", "three instances of web"),
        ("hostkit scale web=2 worker=0", "several processes, one after the other");
    RESTART: ("hostkit restart", "new instances first, then the old ones go");
    STOP: ("hostkit stop", "visitors get a page that says so");
    START: ("hostkit start", "the release that was live is live again");
    CACHE: ("hostkit cache purge", "everything that is kept of the environment"),
        ("hostkit cache purge /api/prices", "one path, with whatever query"),
        ("hostkit cache purge '/blog/*'", "all that begin so");
    ENV: ("hostkit env set LOG_LEVEL=debug --apply", "set a variable and bring it live"),
        ("hostkit env set API_KEY - < key.txt", "a value that no shell history sees"),
        ("hostkit env import .env", "from a file"),
        ("hostkit env get API_KEY", "the one way to see a value"),
        ("hostkit env history API_KEY", "who set it when");
    ADDON: ("hostkit addon add shop postgres", "a database; its programs find DATABASE_URL and DIRECT_URL"),
        ("hostkit addon add shop redis", "a Redis of its own; its programs find REDIS_URL"),
        ("hostkit addon add shop storage --quota 10GB", "a bucket that speaks S3; its programs find S3_ENDPOINT and the other names"),
        ("hostkit addon add shop postgres --outside -", "a database that somebody else keeps; its address is read from stdin"),
        ("hostkit addon add shop storage --outside r2.env", "a bucket that somebody else keeps, by the lines of a file"),
        ("hostkit addon set shop redis --memory 256MB --keep-all", "more memory, and nothing pushed out of it"),
        ("hostkit addon list shop", "how each is, and since when its credential is the same"),
        ("hostkit addon rotate shop redis", "a new credential, told by a restart that loses no request; then the old one is refused"),
        ("hostkit addon remove shop redis --yes", "take it away, with all of its data");
        "A variable that an add-on gives cannot be set by hand.";
    DB: ("hostkit db psql shop", "psql as the project, with your terminal"),
        ("hostkit db psql shop -- -c 'SELECT count(*) FROM orders'", "one statement"),
        ("hostkit db url shop --direct", "the URL past the pooler with its password, for migrations and sessions"),
        ("hostkit db list shop", "every database, with its size and connections"),
        ("hostkit db create shop tenant_a", "a further one, with the same credentials"),
        ("hostkit db stats shop", "large tables, unused indexes, slow queries"),
        ("hostkit db top shop", "who asks what just now"),
        ("hostkit db extensions shop --add pgcrypto", "an extension"),
        ("hostkit db dump shop -o shop.dump", "a copy of it as a file"),
        ("hostkit db restore shop shop.dump", "bring it back; until all is restored the old one stays"),
        ("hostkit db clone shop db db --from-env production -e staging", "production's data for staging"),
        ("hostkit db protect shop orders --column tenant_id", "keep tenants apart, and try whether they are");
    REDIS: ("hostkit redis cli shop", "redis-cli as the project, with your terminal"),
        ("hostkit redis cli shop -- DBSIZE", "one command"),
        ("hostkit redis info shop memory", "a part of what the server says of itself"),
        ("hostkit redis flush shop --yes", "delete every key"),
        ("hostkit redis url shop", "the URL with its password, for a program of yours on this machine");
    BACKUP: ("hostkit backup now shop", "databases, variables and what the project is; read back, and restored for trial"),
        ("hostkit backup list shop", "which there are, and how each is"),
        ("hostkit backup kit", "the key without which nobody reads them elsewhere; then `hostkit backup kit --confirm`"),
        ("hostkit backup target folder /mnt/backups", "keep them on another disk"),
        ("hostkit backup verify shop 12", "read it back and restore it for trial again; exit code 1 if it is not good"),
        ("hostkit backup restore shop 12", "in the place of what is there, which is backed up first"),
        ("hostkit backup restore shop 12 --to shop-copy", "into another project, which is made"),
        ("hostkit backup history on", "keep every change of databases, to bring them back to any moment of the last 7 days"),
        ("hostkit backup restore shop --to-time 2026-11-29T12:00:00Z", "databases as they were then; nobody else's change"),
        ("hostkit backup restore shop --kit kit.txt", "on a machine that has nothing but the recovery kit"),
        ("hostkit backup download shop postgres -o shop.dump", "the dump alone, decrypted"),
        ("hostkit backup schedule shop --daily 4 --keep-daily 14", "when they are made, and how many stay"),
        ("hostkit backup plan --simulate 400d --keep-yearly 2", "what rules keep in the course of time");
        "Made once a day by themselves, after 02:00 UTC. A backup counts when it was read back, and is proven when it was restored for trial.";
    STORAGE: ("hostkit storage ls shop:photos/", "what there is, up to the next `/`"),
        ("hostkit storage cp -r ./photos shop:photos", "a folder into the bucket"),
        ("hostkit storage cp shop:photos/cat.jpg .", "an object out of it"),
        ("pg_dump mydb | hostkit storage cp - shop:dumps/today.sql", "what another program writes"),
        ("hostkit storage presign shop:photos/cat.jpg --expires 1d", "a URL for somebody without keys"),
        ("hostkit storage policy shop --public photos/ --quota 10GB", "let anybody read what begins so, and limit the bytes"),
        ("hostkit storage policy shop --expire tmp/=7d --cors https://shop.example.com", "remove what is old; let pages of another origin in");
    DOMAIN: ("hostkit domain add shop.example.com", "answer it at once; says what to set in the DNS"),
        ("hostkit domain add '*.shop.example.com'", "every name of one label below it"),
        ("hostkit domain list", "every domain, and where it comes from"),
        ("hostkit domain check", "whether each leads here; exit code 1 if one does not"),
        ("hostkit domain remove shop.example.com", "answer it no more");
        "Domains that are added stay until they are removed. Those in `hosts` of hostkit.toml come and go with the release.";
    NGINX: ("hostkit nginx add shop shop.example.com", "the same as `hostkit domain add shop.example.com --project shop`");
    CERT: ("hostkit cert list", "for which names, until when, and what is wrong with one"),
        ("hostkit cert import fullchain.pem privkey.pem", "show a certificate of your own, at once"),
        ("hostkit cert renew shop.example.com", "order it now, after what was in its way is mended"),
        ("hostkit cert remove shop.example.com", "show again what there is without the imported one");
        "Certificates are ordered and renewed by themselves. Who may work on one project sees to those of its hosts.";
    RUN: ("hostkit run -- python manage.py migrate", "a command in the live release"),
        ("hostkit run -- bash", "a shell, with your terminal"),
        ("hostkit run -- node report.js < in.csv > out.csv", "input and output may be files");
        "The exit code is the command's own.";
    OPEN: ("hostkit open", "the URL, in your browser"),
        ("curl -s \"$(hostkit open --print)\"", "the URL, for a script");
    ACCESS: ("hostkit access add shop ~/.ssh/id_ed25519.pub", "let a key log in: `ssh shop@SERVER hostkit logs -f`"),
        ("ssh-add -L | hostkit access add shop -", "a key from stdin"),
        ("hostkit access list shop", "fingerprint, type and comment of each"),
        ("hostkit access remove shop ci@example.com", "by comment, fingerprint or file");
        "A key is a login as the project's account, which may work on its project and nothing else. Only administrators add and remove keys.";
    TOKEN: ("hostkit token create ci --project shop", "a token that deploys one project"),
        ("HOSTKIT_URL=http://127.0.0.1:9000 HOSTKIT_TOKEN=… hostkit deploy", "use it elsewhere"),
        ("hostkit token revoke ci", "make it worthless");
    VAULT: ("hostkit vault rotate-key", "a new master key; everything goes on meanwhile"),
        ("hostkit doctor", "who may read the key, among other things");
        "A copy of the data folder from before opens with the key that is in it. On a server systemd can give the key instead of a file: the credential `hostkit-key`.";
    SERVER: ("sudo hostkit server setup --plan", "what would be changed, line by line; nothing is done"),
        ("sudo hostkit server setup", "packages, firewall, fail2ban, SSH by keys only, updates, swap, logs, limits"),
        ("sudo hostkit server check", "each item ok, drift or missing, and what mends it; exit code 1 if anything is not ok"),
        ("sudo hostkit server check --json", "the same for a script"),
        ("sudo hostkit server token", "the administrator's token, for the API from elsewhere"),
        ("sudo hostkit server token --new", "another one, where it was lost or seen by others");
        "A setup is safe to run again, also after one that was killed: what is as it should be is left alone. Its exit code is 1 where an item is not as it should be; the others are done all the same.";
    COMPLETIONS: ("hostkit completions bash > ~/.local/share/bash-completion/completions/hostkit", "bash"),
        ("hostkit completions zsh > ~/.zfunc/_hostkit", "zsh, with ~/.zfunc in fpath"),
        ("hostkit completions fish > ~/.config/fish/completions/hostkit.fish", "fish");
    VERSION: ("hostkit version", "the version, as one line"),
        ("hostkit version --json", "for a script");
    HELP: ("hostkit help deploy", "the same as `hostkit deploy --help`");
}
