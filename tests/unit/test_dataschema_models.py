from __future__ import annotations

from instance.analysis.languages import language_of
from instance.analysis.parse import parse
from instance.learning.dataschema.combining import combine
from instance.learning.dataschema.reading import tables_in
from instance.learning.dataschema.values import Column, ForeignKey, Table


def tables(**files: str) -> dict[str, Table]:
    """Tables of files by name; the name of a file is its path with `__` for a slash and `_ext` for its ending."""
    per_file = {}
    for name, text in files.items():
        stem, _, ending = name.replace("__", "/").rpartition("_")
        path = f"{stem}.{ending}"
        language = language_of(path)
        content = parse(text.encode(), language) if language else text
        per_file[path] = tables_in(path, content, language.name if language else ending)
    return {table.name: table for table in combine(per_file)}


def said(table: Table) -> dict[str, str]:
    return {column.name: column.type + "?" * column.nullable for column in table.columns}


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


def test_entities_of_typeorm() -> None:
    found = tables(
        entities_ts="""
            abstract class Stamped { @CreateDateColumn() createdAt: Date; }
            @Entity({ name: "users" })
            @Index(["email", "org"])
            @Unique(["email", "orgId"])
            export class User extends Stamped {
              @PrimaryGeneratedColumn("uuid") id!: string;
              @Column({ type: "varchar", nullable: true, unique: true })
              email?: string | null;
              @Column({ type: "enum", enum: Role }) role: Role;
              @Column("simple-array", { name: "labels" }) tags: string[];
              @ManyToOne(() => Org, (org) => org.users, { nullable: false })
              @JoinColumn()
              org: Org;
              @OneToMany(() => Post, (post) => post.user) posts: Post[];
            }
            @Entity() export class Org { @PrimaryColumn() code: number; }
            """
    )
    users = found["users"]
    assert said(users) == {
        "id": "uuid", "email": "text?", "role": "text", "labels": "text", "orgId": "integer", "createdAt": "timestamp",
    }  # fmt: skip
    assert users.primary_key == ("id",)
    assert users.foreign_keys == (ForeignKey(("orgId",), "org", ("code",)),)
    assert users.uniques == (("email",), ("email", "orgId"))


def test_tables_of_drizzle_and_models_of_sequelize() -> None:
    found = tables(
        schema_ts="""
            export const mood = pgEnum("mood", ["sad", "ok"]);
            export const users = pgTable("users", {
              id: uuid("id").primaryKey().defaultRandom(),
              fullName: varchar("full_name", { length: 256 }).notNull(),
              mood: mood("mood"),
              orgId: integer("org_id").references(() => orgs.id),
            }, (t) => [uniqueIndex("by_name").on(t.fullName), index("by_org").on(t.orgId, t.mood)]);
            export const orgs = pgTable("orgs", { id: serial().primaryKey(), at: integer({ mode: "timestamp" }) });
            """,
        model_js="""
            const Car = sequelize.define("car", {
              plate: { type: DataTypes.STRING(8), allowNull: false, unique: true },
              ownerId: { type: DataTypes.UUID, references: { model: "users", key: "id" } },
              bought: DataTypes.DATE,
            }, { tableName: "cars", underscored: true, indexes: [{ fields: ["bought"] }] });
            """,
    )
    users = found["users"]
    assert users.columns == (
        Column("id", "uuid", nullable=False, primary=True),
        Column("full_name", "text", nullable=False),
        Column("mood", "text", enum="type"),
        Column("org_id", "integer"),
    )
    assert users.uniques == (("full_name",),)
    assert users.indexes == (("org_id", "mood"),)
    assert users.foreign_keys == (ForeignKey(("org_id",), "orgs", ("id",)),)
    assert said(found["orgs"]) == {"id": "integer", "at": "timestamp?"}
    assert said(found["cars"]) == {
        "plate": "text", "ownerId": "uuid?", "bought": "timestamp?", "created_at": "timestamp",
        "updated_at": "timestamp", "id": "integer",
    }  # fmt: skip
    assert found["cars"].indexes == (("bought",),)


def test_a_schema_of_prisma() -> None:
    found = tables(
        schema_prisma="""
            datasource db {
              provider = "postgresql"
            }
            // model Ghost {
            enum Role {
              USER
            }
            model User {
              id        Int     @id @default(autoincrement())
              email     String  @unique @map("mail") // the address
              role      Role    @default(USER)
              meta      Json?   @default("{}")
              tags      String[]
              posts     Post[]
              @@index([email, role(sort: Desc)])
              @@map("users")
            }
            model Post {
              id       String @db.Uuid
              part     Int
              authorId Int    @map("author_id")
              author   User   @relation("written", fields: [authorId], references: [id], onDelete: Cascade)
              @@id([id, part])
            }
            """
    )
    assert set(found) == {"users", "Post"}
    users, post = found["users"], found["Post"]
    assert said(users) == {"id": "integer", "mail": "text", "role": "text", "meta": "json?", "tags": "array"}
    assert users.columns[2].enum == "type"
    assert users.uniques == (("mail",),)
    assert users.indexes == (("mail", "role"),)
    assert said(post) == {"id": "uuid", "part": "integer", "author_id": "integer"}
    assert post.primary_key == ("id", "part")
    assert post.foreign_keys == (ForeignKey(("author_id",), "users", ("id",)),)


def test_structs_of_gorm_and_schemas_of_ent() -> None:
    found = tables(
        models_go="""
            package models
            type Base struct { TenantID uint64 `gorm:"index:by_tenant"` }
            type UserAccount struct {
                gorm.Model
                Base
                Email     *string `gorm:"size:200;not null;uniqueIndex"`
                CompanyID int     `gorm:"index:by_tenant"`
                Company   Company
                Orders    []Order
                Payload   datatypes.JSON `gorm:"type:jsonb" json:"p"`
                Ignored   string `gorm:"-"`
                hidden    int
            }
            type Company struct {
                Code string `gorm:"primaryKey;type:varchar(8)"`
            }
            func (Company) TableName() string { return "firms" }
            """,
        ent__user_go="""
            package schema
            import "entgo.io/ent"
            type Car struct { ent.Schema }
            func (Car) Fields() []ent.Field {
                return []ent.Field{
                    field.String("model").Unique(),
                    field.Time("registered_at").Optional().Nillable(),
                    field.Enum("state").Values("a", "b"),
                }
            }
            func (Car) Indexes() []ent.Index { return []ent.Index{ index.Fields("model", "state").Unique() } }
            """,
    )
    accounts = found["user_accounts"]
    assert said(accounts) == {
        "id": "bigint", "created_at": "timestamp?", "updated_at": "timestamp?", "deleted_at": "timestamp?",
        "email": "text", "company_id": "bigint?", "payload": "json?", "tenant_id": "bigint?",
    }  # fmt: skip
    assert accounts.foreign_keys == (ForeignKey(("company_id",), "firms", ("code",)),)
    assert accounts.uniques == (("email",),)
    assert accounts.indexes == (("company_id",), ("deleted_at",), ("tenant_id",))
    assert said(found["firms"]) == {"code": "text"}
    assert said(found["cars"]) == {"model": "text", "registered_at": "timestamp?", "state": "text", "id": "bigint"}
    assert found["cars"].uniques == (("model",), ("model", "state"))


def test_tables_of_diesel_and_entities_of_seaorm() -> None:
    found = tables(
        schema_rs="""
            diesel::table! {
                /// Written by people.
                posts (id) {
                    id -> Int8,
                    #[max_length = 20]
                    title -> Nullable<Varchar>,
                    #[sql_name = "type"]
                    kind -> Text,
                    user_id -> Uuid,
                    labels -> Array<Nullable<Text>>,
                }
            }
            diesel::table! { users (id) { id -> Uuid } }
            diesel::joinable!(posts -> users (user_id));
            """,
        entity__cake_rs="""
            use sea_orm::entity::prelude::*;
            #[derive(Clone, Debug, DeriveEntityModel)]
            #[sea_orm(table_name = "cakes")]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub id: i32,
                #[sea_orm(unique)]
                pub name: Option<String>,
                pub fruit_id: i64,
                pub picture: Vec<u8>,
            }
            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {
                #[sea_orm(belongs_to = "super::fruit::Entity", from = "Column::FruitId", to = "fruit::Column::Id")]
                Fruit,
            }
            """,
        entity__fruit_rs="""
            use sea_orm::entity::prelude::*;
            #[sea_orm(table_name = "fruits")]
            pub struct Model { #[sea_orm(primary_key)] pub id: i64 }
            """,
    )
    posts = found["posts"]
    assert said(posts) == {"id": "bigint", "title": "text?", "type": "text", "user_id": "uuid", "labels": "array"}
    assert posts.foreign_keys == (ForeignKey(("user_id",), "users", ("id",)),)
    assert said(found["cakes"]) == {"id": "integer", "name": "text?", "fruit_id": "bigint", "picture": "bytes"}
    assert found["cakes"].foreign_keys == (ForeignKey(("fruit_id",), "fruits", ("id",)),)
    assert found["cakes"].uniques == (("name",),)


def test_entities_of_jpa() -> None:
    found = tables(
        src__Order_java="""
            package shop;
            @MappedSuperclass
            public abstract class Stamped { @CreationTimestamp @Column(updatable = false) private Instant createdAt; }
            @Entity
            @Table(
                name = "orders",
                indexes = { @Index(columnList = "state, customer_id"), @Index(columnList = "code", unique = true) })
            public class Order extends Stamped {
                private static final long serialVersionUID = 1L;
                @Id @GeneratedValue(strategy = GenerationType.IDENTITY) private Long id;
                @Column(name = "code", nullable = false, length = 20) private String orderCode;
                @Enumerated(EnumType.STRING) private State state;
                private int amount = 0;
                @ManyToOne(optional = false) @JoinColumn(name = "customer_id") private Customer customer;
                @OneToMany(mappedBy = "order") private List<Line> lines = new ArrayList<>();
                @Transient private String note;
                public Long getId() { return id; }
            }
            @Entity class Customer { @Id UUID number; }
            """
    )
    orders = found["orders"]
    assert said(orders) == {
        "id": "bigint", "code": "text", "state": "text?", "amount": "integer", "customer_id": "uuid",
        "created_at": "timestamp?",
    }  # fmt: skip
    assert orders.foreign_keys == (ForeignKey(("customer_id",), "customer", ("number",)),)
    assert orders.uniques == (("code",),)
    assert orders.indexes == (("state", "customer_id"),)


def test_schemas_of_ecto() -> None:
    found = tables(
        lib__user_ex="""
            defmodule Shop.User do
              use Ecto.Schema
              @primary_key {:id, :binary_id, autogenerate: true}
              @foreign_key_type :binary_id
              schema "users" do
                field :name, :string
                field :labels, {:array, :string}
                field :state, Ecto.Enum, values: [:a, :b]
                field(:born, :date)
                belongs_to :org, Shop.Org
                has_many :posts, Shop.Post
                timestamps(inserted_at: :created_at)
              end
            end
            defmodule Shop.Address do
              use Ecto.Schema
              embedded_schema do
                field :street, :string
              end
            end
            """
    )
    assert set(found) == {"users"}
    assert said(found["users"]) == {
        "id": "uuid", "name": "text?", "labels": "array?", "state": "text?", "born": "date?", "org_id": "uuid?",
        "created_at": "timestamp", "updated_at": "timestamp",
    }  # fmt: skip
