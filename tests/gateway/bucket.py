"""A bucket that speaks as much S3 as is asked here, and checks the signature of every link."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from aiohttp import web

NAME = "updates"
REGION = "eu-1"
KEY, SECRET = "bucket-key", "bucket-secret"


class Bucket:
    """Objects by their key, and who asked for them."""

    def __init__(self) -> None:
        self.url = ""
        self.objects: dict[str, bytes] = {}
        #: Method and key of every request that was let in.
        self.asked: list[tuple[str, str]] = []
        #: How far this clock is ahead of ours.
        self.ahead = timedelta(0)
        self.closed = False

    @property
    def environment(self) -> dict[str, str]:
        """What tells a program how this bucket is reached."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ALLOW_HTTP": "true",
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """PUT, GET and HEAD of an object, for whoever has signed for that."""
        key = request.match_info["key"]
        if self.closed or not self._signed(request):
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        self.asked.append((request.method, key))
        if request.method == "PUT":
            self.objects[key] = await request.read()
            return web.Response(headers={"ETag": self._etag(key)})
        if key not in self.objects:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        return self._content(request, key)

    def _content(self, request: web.Request, key: str) -> web.Response:
        content = self.objects[key]
        headers = {"ETag": self._etag(key), "Last-Modified": "Tue, 24 Nov 2026 09:00:00 GMT"}
        part = request.http_range
        if part.start is not None:
            first, last = part.start, min(part.stop or len(content), len(content)) - 1
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            return web.Response(status=206, headers=headers, body=content[first : last + 1])
        return web.Response(headers=headers, body=content)

    def _etag(self, key: str) -> str:
        return f'"{hashlib.md5(self.objects[key]).hexdigest()}"'

    def _signed(self, request: web.Request) -> bool:
        if request.headers.get("Authorization", "").startswith(f"AWS4-HMAC-SHA256 Credential={KEY}/"):
            return True
        query = dict(request.query)
        signature = query.pop("X-Amz-Signature", "")
        at = query.get("X-Amz-Date", "")
        if not at or not hmac.compare_digest(signature, signed(request.method, request, query)):
            return False
        begins = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return datetime.now(UTC) + self.ahead < begins + timedelta(seconds=int(query["X-Amz-Expires"]))


def signed(method: str, request: web.Request, query: dict[str, str]) -> str:
    """The signature (version 4, by query) of a request of the owner of the bucket."""
    names = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(query.items()))
    lines = (method, request.path, names, f"host:{request.host}", "", "host", "UNSIGNED-PAYLOAD")
    day = query["X-Amz-Date"][:8]
    scope = f"{day}/{REGION}/s3/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, digest))
    key = f"AWS4{SECRET}".encode()
    for word in (day, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


@asynccontextmanager
async def open_bucket() -> AsyncIterator[Bucket]:
    """A bucket on a port of its own."""
    bucket = Bucket()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", f"/{NAME}/{{key:.+}}", bucket.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bucket.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield bucket
    finally:
        await runner.cleanup()
