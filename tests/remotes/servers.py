"""Real servers of Debian's packages on loopback ports, each with its own folder and configuration."""

import contextlib
import getpass
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

USER, PASSWORD = "deploy", "s3cr3t-w0rd"
DAV_EXT = Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so")
Settings = dict[str, str]


@dataclass(frozen=True)
class Remote:
    """A remote that a clone can be pointed to."""

    kind: str
    port: int
    folder: Path  # where the server keeps what it is given
    url: Callable[[int], str]  # from a port: the server's own or a proxy's
    settings: Callable[[int], Settings] = field(default=lambda _: {})
    wrong: Settings = field(default_factory=dict)  # what makes the credentials wrong

    def objects(self) -> list[Path]:
        """The files of a server that keeps objects as files."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def sshd(folder: Path, *sftp: str) -> Iterator[Remote]:
    """An OpenSSH server for the account that runs the tests.

    Args:
        sftp: options of its SFTP server: -R is read-only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for key in ("host", "client", "stranger"):
        if not (folder / key).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    (folder / "data").mkdir(exist_ok=True)
    port = free_port()
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/client.pub\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"UsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nMaxStartups 100\nMaxSessions 100\n"
        f"Subsystem sftp internal-sftp {' '.join(sftp)}\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # its privilege separation needs it
    command = [program("sshd"), "-D", "-e", "-f", folder / "config"]
    with running(command, port, folder / "log"):
        yield Remote(
            kind="ssh",
            port=port,
            folder=folder / "data",
            url=lambda at: f"ssh://{getpass.getuser()}@127.0.0.1:{at}{folder}/data",
            settings=lambda _: {"keyfile": f"{folder}/client"},
            wrong={"keyfile": f"{folder}/stranger"},
        )


@contextlib.contextmanager
def nginx(folder: Path, *, methods: str = "PUT DELETE MKCOL COPY MOVE") -> Iterator[Remote]:
    """nginx with WebDAV and one account.

    Args:
        methods: what may be done; "off" is read-only.
    """
    for name in ("data/models", "parts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "accounts").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    owner = "user root;" if os.getuid() == 0 else ""
    temporary = " ".join(f"{kind}_temp_path {folder}/parts;" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"load_module {DAV_EXT};\n"
        f"daemon off; pid {folder}/pid; error_log stderr; {owner}\n"
        f"events {{}}\nhttp {{ access_log off; client_body_temp_path {folder}/parts; {temporary}\n"
        f"dav_ext_lock_zone zone=locks:1m;\n"
        f"server {{ listen 127.0.0.1:{port}; root {folder}/data; client_max_body_size 0;\n"
        f"location / {{ auth_basic models; auth_basic_user_file {folder}/accounts; create_full_put_path on;\n"
        f"dav_methods {methods}; dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK; dav_ext_lock zone=locks; }} }} }}\n"
    )
    with running([program("nginx"), "-e", "stderr", "-c", folder / "nginx.conf"], port, folder / "log"):
        yield Remote(
            kind="webdav",
            port=port,
            folder=folder / "data",
            url=lambda at: f"webdav://127.0.0.1:{at}/models",
            settings=lambda _: {"user": USER, "password": PASSWORD},
            wrong={"password": "wr0ng-w0rd"},
        )


@contextlib.contextmanager
def swift(folder: Path) -> Iterator[Remote]:
    """OpenStack Swift's S3 interface with one account; the objects themselves live in its memory."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    account = "shop"
    script = Path(__file__).parent / "swift_server.py"
    with running(["/usr/bin/python3", script, folder, port, account, USER, PASSWORD], port, folder / "log"):
        remote = Remote(
            kind="s3",
            port=port,
            folder=folder / "disk",
            url=lambda _: "s3://models/graft",
            settings=lambda at: {
                "endpointurl": f"http://127.0.0.1:{at}",
                "region": "us-east-1",
                "access_key_id": f"{account}:{USER}",
                "secret_access_key": PASSWORD,
            },
            wrong={"secret_access_key": "wr0ng-w0rd"},
        )
        make_bucket(remote)
        yield remote


def make_bucket(remote: Remote) -> None:
    from botocore.session import get_session

    settings = remote.settings(remote.port)
    get_session().create_client(
        "s3",
        region_name=settings["region"],
        endpoint_url=settings["endpointurl"],
        aws_access_key_id=settings["access_key_id"],
        aws_secret_access_key=settings["secret_access_key"],
    ).create_bucket(Bucket="models")


@contextlib.contextmanager
def running(command: Sequence[object], port: int, log: Path) -> Iterator[None]:
    """A server process until the block ends; it must listen within 20 s."""
    with log.open("ab") as out:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=out)
    try:
        wait_for(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"{process.args} does not listen:\n{log.read_text()}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def lacking(kind: str) -> list[str]:
    """Programs and plug-ins that a kind of remote needs and this machine does not have."""
    there = {
        "sshd": program("sshd"),
        "ssh-keygen": program("ssh-keygen"),
        "nginx": program("nginx"),
        "nginx's module dav-ext": DAV_EXT.exists(),
        "python3-swift": Path("/usr/lib/python3/dist-packages/swift").exists(),
        f"dvc-{kind}": importlib.util.find_spec(f"dvc_{kind}"),
    }
    needed = {
        "ssh": ("sshd", "ssh-keygen"),
        "webdav": ("nginx", "nginx's module dav-ext"),
        "s3": ("python3-swift",),
    }.get(kind)
    return [name for name in (*needed, f"dvc-{kind}") if not there[name]] if needed else []


def program(name: str) -> str | None:
    """Path of a program; servers lie in /usr/sbin, which not every PATH names."""
    return shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
