"""The browser's notebook: what a page shows is a function of its address; the cells tie the two to widgets.

To change it, `python run_arena.py browse RUN --edit` opens a copy. In cells of your own `log` is the log of
the run that is looked at: `log.rows("SELECT ...")`.
"""

import marimo

app = marimo.App(width="full", app_title="Ludus")


@app.cell(hide_code=True)
def _():
    from urllib.parse import urlencode

    import marimo as mo

    from analysis.browser import drawn, pages, served
    from analysis.browser.address import Address
    from analysis.browser.log import opened

    return Address, drawn, mo, opened, pages, served, urlencode


@app.cell(hide_code=True)
def _(mo, served):
    folders = served.handed_over(mo.cli_args().get_all("run"))
    mo.stop(not folders, "No run to look at. Start this with: python run_arena.py browse RUN --edit")
    return (folders,)


@app.cell(hide_code=True)
def _(Address, folders, mo, opened, urlencode):
    # Links and forms set the address, and so does the slider. `slid` counts how often something else moved
    # it, which makes it anew; `come` is the run that is looked at and how far it has come.
    get_asked, set_asked = mo.state(urlencode(mo.query_params().to_dict()))
    get_slid, set_slid = mo.state(0)
    kept = {"address": Address.read(get_asked())}

    def log_of(name):
        return opened(folders.get(name) or next(iter(folders.values())))

    _log = log_of(kept["address"].run)
    get_come, set_come = mo.state((_log, _log.head()))
    return get_asked, get_come, get_slid, kept, log_of, set_asked, set_come, set_slid


@app.cell(hide_code=True)
def _(Address, kept, mo, set_asked, set_slid):
    def _told(text):
        if Address.read(text).round != kept["address"].round:
            set_slid(lambda times: times + 1)
        kept["address"] = Address.read(text)
        set_asked(text)

    told = mo.ui.text(on_change=_told)
    mo.Html(f'<div id="ludus-address" hidden>{told}</div>')
    return


@app.cell(hide_code=True)
def _(folders, log_of, mo):
    _done = all(log_of(name).head().finished for name in folders)
    refresh = mo.ui.refresh(["5s", "15s", "1m", "10m"], None if _done else "15s", label="Look again")
    return (refresh,)


@app.cell(hide_code=True)
def _(Address, folders, get_asked, kept, log_of, mo, pages, refresh, set_come):
    _tick = refresh.value  # looks again with every one
    address = Address.read(get_asked())
    _log = log_of(address.run)
    _head = _log.head()
    if kept.get("come") != (_log, _head):
        kept["come"] = (_log, _head)
        set_come((_log, _head))
    mo.Html(f'<div id="ludus-top">{pages.navigation(list(folders), _head, address)}</div>')
    return (address,)


@app.cell(hide_code=True)
def _(get_come, get_slid, kept, mo, refresh, set_asked):
    get_slid()
    _last = get_come()[1].last or 0

    def _slide(value):
        kept["address"] = kept["address"].at(None if value >= _last else int(value))
        set_asked(kept["address"].text())

    slider = mo.ui.slider(
        start=0,
        stop=max(1, _last),
        value=min(_last, _last if kept["address"].round is None else kept["address"].round),
        debounce=True,
        show_value=True,
        full_width=True,
        label="As of the end of round",
        on_change=_slide,
    )
    mo.Html(f'<div class="ludus-controls"><div>{slider}</div><div>{refresh}</div></div>')
    return


@app.cell(hide_code=True)
def _(address, drawn, get_come, kept, mo, pages):
    log, _head = get_come()
    if address.view != "sql" or kept.get("page", (None,))[0] != address:  # a query is asked once
        kept["page"] = (address, pages.page(log, _head, address))
    page = kept["page"][1]
    _figures: dict[str, str] = {}
    for _name in drawn.wanted(page):
        mo.output.replace(mo.Html(page.html(_figures, drawing=True)))
        _figures[_name] = drawn.figure(log, _head, page, _name)
    _shown = page.html(_figures)
    if page.answer is not None and page.answer.total:
        download = mo.download(page.answer.csv, "query.csv", "text/csv", label="Download as CSV")
        _shown += f'<div class="ludus">{download}</div>'
    mo.output.replace(mo.Html(_shown))
    return (log,)


if __name__ == "__main__":
    app.run()
