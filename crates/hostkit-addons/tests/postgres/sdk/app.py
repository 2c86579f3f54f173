"""A program as people write it: SQLAlchemy on asyncpg through PgBouncer, asyncpg alone, many at once."""

import asyncio
import os
import re

import asyncpg
from sqlalchemy import String, func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

POOLED = os.environ["DATABASE_URL"]


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))


async def with_sqlalchemy():
    # What SQLAlchemy's own documentation says of PgBouncer in transaction mode.
    engine = create_async_engine(
        re.sub("^postgresql:", "postgresql+asyncpg:", POOLED),
        poolclass=NullPool,
        connect_args={"statement_cache_size": 0, "prepared_statement_cache_size": 0,
                      "prepared_statement_name_func": lambda: ""},
    )
    sessions = async_sessionmaker(engine)

    async def one(number):
        async with sessions() as session:
            session.add(Person(name=f"p{number}"))
            await session.commit()
            return (await session.execute(select(Person).where(Person.name == f"p{number}"))).scalar_one().name

    names = await asyncio.gather(*(one(number) for number in range(30)))
    assert sorted(names) == sorted(f"p{number}" for number in range(30))
    async with sessions() as session:
        assert (await session.execute(select(func.count()).select_from(Person))).scalar_one() == 30
    await engine.dispose()


async def with_asyncpg():
    pool = await asyncpg.create_pool(POOLED, statement_cache_size=0, min_size=1, max_size=20)

    async def one(number):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE people SET name = $1 WHERE name = $2", f"q{number}", f"p{number}")
            return await connection.fetchval("SELECT name FROM people WHERE name = $1", f"q{number}")

    assert len(set(await asyncio.gather(*(one(number) for number in range(30))))) == 30
    await pool.close()


asyncio.run(with_sqlalchemy())
asyncio.run(with_asyncpg())
print("all well")
