"""OpenStack Swift with its S3 interface, all in one process; objects live in memory.

Runs with Debian's own Python, which holds the package python3-swift:
/usr/bin/python3 swift_server.py FOLDER PORT ACCOUNT USER PASSWORD
"""

import sys

import eventlet

eventlet.monkey_patch()

from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

import eventlet.wsgi  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

PARTS = ("account", "container", "object")
STORAGE = """[DEFAULT]
devices = {folder}
mount_check = false
swift_dir = {folder}
[app:main]
use = egg:swift#{app}
"""
PROXY = """[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors listing_formats bulk s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {password} .admin
user_{account}_guest = {password}
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
"""


def main(folder: str, port: str, account: str, user: str, password: str) -> None:
    """Serve until killed."""
    utils.HASH_PATH_SUFFIX = utils.HASH_PATH_PREFIX = b"graft"
    root = Path(folder)
    (root / "disk").mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        listener = eventlet.listen(("127.0.0.1", 0))
        ring(root / f"{part}.ring.gz", listener.getsockname()[1])
        app = "mem_object" if part == "object" else part
        eventlet.spawn(serve, listener, app_of(root / f"{part}.conf", STORAGE.format(folder=folder, app=app)))
    text = PROXY.format(folder=folder, account=account, user=user, password=password)
    serve(eventlet.listen(("127.0.0.1", int(port))), completed(app_of(root / "proxy.conf", text), Cache()))


def completed(app: Callable, cache: "Cache") -> Callable:
    """The application with a cache, and with a length in each answer to HEAD: eventlet else sends it in chunks."""

    def answer(environ: dict, start_response: Callable) -> object:
        def start(status: str, headers: list, *rest: object) -> object:
            if environ["REQUEST_METHOD"] == "HEAD" and not any(name.lower() == "content-length" for name, _ in headers):
                headers = [*headers, ("Content-Length", "0")]
            return start_response(status, headers, *rest)

        return app({**environ, "swift.cache": cache}, start)

    return answer


class Cache:
    """What Swift else asks memcached for."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def get(self, key: str, **_: object) -> object:
        return self.values.get(key)

    def set(self, key: str, value: object, **_: object) -> None:
        self.values[key] = value

    def delete(self, key: str, **_: object) -> None:
        self.values.pop(key, None)


def ring(path: Path, port: int) -> None:
    """One copy of everything, on one device."""
    builder = RingBuilder(1, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "disk", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(str(path))


def app_of(conf: Path, text: str) -> Callable:
    """The WSGI application of a configuration."""
    conf.write_text(text)
    return loadapp(str(conf))


def serve(listener: object, app: object) -> None:
    """Answer requests."""
    eventlet.wsgi.server(listener, app, protocol=SwiftHttpProtocol, log_output=False, max_size=200)


if __name__ == "__main__":
    main(*sys.argv[1:])
