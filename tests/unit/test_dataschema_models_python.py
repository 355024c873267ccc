from __future__ import annotations

from instance.learning.dataschema.values import ForeignKey
from tests.support.declared import said, tables


def test_declarative_models_of_sqlalchemy() -> None:
    found = tables(
        app__base_py="""
            from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
            key = Annotated[int, mapped_column(BigInteger, primary_key=True)]
            class Base(DeclarativeBase):
                pass
            class Stamped:
                created_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
            """,
        app__models_py="""
            from .base import Base, Stamped, key
            import sqlalchemy as sa
            class Team(Base):
                __tablename__ = "teams"
                id: Mapped[int] = mapped_column(primary_key=True)
                name = sa.Column("title", sa.String(30), nullable=False, unique=True)
            class User(Stamped, Base):
                '''A person.'''
                __tablename__ = "users"
                __table_args__ = (sa.UniqueConstraint("team_id", "email"), sa.Index("i", "email"), {"schema": "x"})
                id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
                email: Mapped[str | None]
                state: Mapped[str] = mapped_column(sa.Enum("a", "b"))
                team_id = mapped_column(sa.ForeignKey("teams.id", ondelete="CASCADE"), index=True)
                team: Mapped["Team"] = relationship(back_populates="users")
            memberships = sa.Table(
                "memberships", Base.metadata,
                sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
                sa.Column("team_id", sa.ForeignKey("teams.id"), primary_key=True),
            )
            """,
    )
    assert set(found) == {"teams", "users", "memberships"}
    assert said(found["teams"]) == {"id": "integer", "title": "text"}
    assert found["teams"].uniques == (("title",),)
    users = found["users"]
    assert said(users) == {
        "id": "uuid", "email": "text?", "state": "text", "team_id": "integer?", "created_at": "timestamp",
    }  # fmt: skip
    assert users.columns[2].enum == "type"
    assert users.foreign_keys == (ForeignKey(("team_id",), "teams", ("id",)),)
    assert users.uniques == (("team_id", "email"),)
    assert users.indexes == (("email",), ("team_id",))
    assert found["memberships"].primary_key == ("user_id", "team_id")
    assert said(found["memberships"]) == {"user_id": "uuid", "team_id": "integer"}


def test_models_of_sqlmodel_and_flask_sqlalchemy() -> None:
    found = tables(
        a_py="""
            from sqlmodel import SQLModel, Field
            class HeroBase(SQLModel):
                name: str = Field(index=True)
            class Hero(HeroBase, table=True):
                id: int | None = Field(default=None, primary_key=True)
                team_id: int | None = Field(default=None, foreign_key="team.id")
            """,
        b_py="""
            from app import db
            class BlogPost(db.Model):
                id = db.Column(db.Integer, primary_key=True)
                body = db.Column(db.Text)
            """,
    )
    assert said(found["hero"]) == {"id": "integer", "team_id": "integer?", "name": "text"}
    assert found["hero"].foreign_keys == (ForeignKey(("team_id",), "team", ("id",)),)
    assert found["hero"].indexes == (("name",),)
    assert said(found["blog_post"]) == {"id": "integer", "body": "text?"}


def test_models_of_django() -> None:
    found = tables(
        shop__models_py="""
            from django.conf import settings
            from django.db import models
            class Stamped(models.Model):
                created_at = models.DateTimeField(auto_now_add=True)
                class Meta:
                    abstract = True
            class Shop(Stamped):
                slug = models.SlugField()
                owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True)
                tags = models.ManyToManyField("Tag")
                state = models.CharField(max_length=1, choices=STATES, default="a")
                class Meta:
                    db_table = "shops"
                    constraints = [models.UniqueConstraint(fields=["slug", "owner"], name="once")]
                    indexes = [models.Index(fields=["-created_at", "state"])]
            class Item(models.Model):
                code = models.UUIDField(primary_key=True)
                shop = models.OneToOneField("shop.Shop", on_delete=models.PROTECT)
                parent = models.ForeignKey("self", models.CASCADE, db_column="above", db_index=False)
                class Meta:
                    unique_together = ("shop", "parent")
            class Book(Item):
                pages = models.IntegerField(null=True, blank=True)
            class ShopForm(forms.ModelForm):
                name = forms.CharField()
            """,
        people__models_py="""
            from django.contrib.auth.models import AbstractUser
            from django.db import models
            class User(AbstractUser):
                phone = models.TextField(unique=True)
            """,
    )
    assert set(found) == {"shops", "shop_item", "shop_book", "people_user"}
    shops = found["shops"]
    assert said(shops) == {
        "slug": "text", "owner_id": "bigint?", "state": "text", "created_at": "timestamp", "id": "bigint",
    }  # fmt: skip
    assert shops.uniques == (("slug", "owner_id"),)
    assert shops.indexes == (("created_at", "state"), ("owner_id",), ("slug",))
    assert shops.foreign_keys == (ForeignKey(("owner_id",), "people_user", ("id",)),)
    assert said(found["shop_item"]) == {"code": "uuid", "shop_id": "bigint", "above": "uuid"}
    assert found["shop_item"].uniques == (("shop_id",), ("shop_id", "above"))
    assert found["shop_book"].primary_key == ("item_ptr_id",)
    assert said(found["shop_book"]) == {"pages": "integer?", "item_ptr_id": "uuid"}
    assert "date_joined" in said(found["people_user"])
