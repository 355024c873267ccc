from __future__ import annotations

from instance.learning.dataschema.values import ForeignKey
from tests.support.declared import said, tables


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
