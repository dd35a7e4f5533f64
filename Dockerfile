# Stages to build: `development` (docker-compose.yml does) and `production`.

FROM python:3.13-slim AS base
# The packages live outside of /app, so that mounting a project over it, with a .venv of the
# host's in it, hides nothing.
# aiomysql wants a name for its user, which `--user 12345` has not: USER gives one.
ENV VIRTUAL_ENV=/opt/venv \
    PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    QUART_APP=manage.py \
    USER=app
WORKDIR /app

FROM base AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIPENV_VERBOSITY=-1
# Its version is that of script/common; it stays out of the environment that it fills.
RUN /usr/local/bin/pip install --root-user-action=ignore pipenv==2026.10.3 \
    && python -m venv --without-pip "$VIRTUAL_ENV"
COPY Pipfile Pipfile.lock ./
RUN pipenv sync

FROM packages AS development
COPY harness harness
RUN pipenv sync --dev
# What Python and pytest leave behind would be root's, in the host's folder. A .env there would
# win over the environment in `pipenv run`.
ENV PIPENV_DONT_LOAD_ENV=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTEST_ADDOPTS="-o cache_dir=/tmp/pytest_cache"
COPY . .
EXPOSE 5000
CMD ["quart", "run", "--reload", "--host", "0.0.0.0"]

# The environment is the only source of settings: no .quartenv.
FROM base AS production
RUN useradd --uid 1000 --user-group --no-create-home app
COPY --from=packages /opt/venv /opt/venv
COPY alembic.ini pyproject.toml ./
COPY application.py commands.py db.py db_connection.py db_errors.py db_tls.py dotfiles.py manage.py settings.py ./
COPY counter counter
COPY migrations migrations
COPY web web
# Tests need packages that are not here.
RUN find . \( -name 'test_*.py' -o -name conftest.py -o -name testing.py \) -delete \
    && python -m compileall -q .
USER 1000
ENV PORT=5000
EXPOSE 5000
# Whether the process answers. A database that is away is no reason to restart it, so not
# /health/ready. The start waits for the database for DB_WAIT seconds, by default 30.
HEALTHCHECK --interval=10s --timeout=5s --start-period=40s CMD ["python", "-c", "\
import http.client, os, sys; \
c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); \
c.request('GET', '/health/live'); \
sys.exit(c.getresponse().status != 200)"]
# Behind a proxy on another machine, set FORWARDED_ALLOW_IPS to its address.
# Docker gives 10 seconds after SIGTERM: requests get 8 of them.
CMD ["sh", "-c", "exec uvicorn --http web.http1:Protocol --host 0.0.0.0 --port $PORT --timeout-graceful-shutdown 8 manage:app"]
