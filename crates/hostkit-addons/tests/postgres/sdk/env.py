"""What `alembic init` writes, with the address from the environment: migrations go over the direct connection."""

import os
import re

from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine(re.sub("^postgresql:", "postgresql+psycopg:", os.environ["DIRECT_URL"]), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
