"""`GET /`: a page to look into groups, rewards and drift. It asks the server's own routes, as anybody may."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from service.inspector.assets import HEADERS, Asset, load
from service.inspector.keeper import Keeper
from service.routes.gate import Gate


def router(*, gate: Gate, keeper: Keeper | None = None) -> APIRouter:
    """The routes. The page needs no key: it holds nothing. What was kept needs one, as scoring does."""
    routes = APIRouter(include_in_schema=False)
    assets = load()
    kept = keeper or Keeper(most=0)

    @routes.get("/")
    async def page(request: Request) -> Response:
        return _answer(request, assets["index.html"])

    @routes.get("/inspector/groups")
    async def groups(request: Request) -> Response:
        async with gate.enter(request.headers):
            return _private(
                orjson.dumps({"groups": [{"id": each.id, "rollouts": each.rollouts} for each in kept.all()]})
            )

    @routes.get("/inspector/groups/{group_id:path}")
    async def group(request: Request, group_id: str) -> Response:
        async with gate.enter(request.headers):
            found = kept.get(group_id)
            if found is None:
                raise HTTPException(404)
            return _private(found.pair())

    @routes.get("/inspector/{name}")
    async def asset(request: Request, name: str) -> Response:
        if name not in assets:
            raise HTTPException(404)
        return _answer(request, assets[name])

    return routes


def _answer(request: Request, asset: Asset) -> Response:
    headers = {**HEADERS, "etag": asset.etag}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)


def _private(body: bytes) -> Response:
    """Texts of policies: no cache keeps them, and no browser takes them for a page."""
    return Response(body, media_type="application/json", headers={**HEADERS, "cache-control": "no-store"})
